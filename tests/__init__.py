"""Tests of Usher: folders mirror those of app, names are sentences."""
