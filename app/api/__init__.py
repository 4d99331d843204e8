"""The HTTP API: resources one family per file, their routes in one table, schemas and helpers beside them."""
