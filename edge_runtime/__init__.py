"""The device's half of Discern, the only home of releases, preprocessing, search and the decision rule."""
