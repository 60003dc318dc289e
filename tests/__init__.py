"""Tests of the whole product, through its commands."""
