"""Steps of the enrolment pipeline."""
