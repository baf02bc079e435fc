"""The device's half of Discern: releases, preprocessing, search and the decision rule live here and nowhere else."""
