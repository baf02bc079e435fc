"""Enrolment without training: classes and photos that are added to a release, replaced in it or retired from it."""
