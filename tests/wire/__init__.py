"""Tests of the readers below `bounceparse.wire`, most of them against the standard library as oracle."""
