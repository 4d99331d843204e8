"""The demo: the main job played against a running server, over HTTP only, and checked by what arrived."""
