"""JSON:API 1.1 over flask-rest-jsonapi-next: documents, queries, errors and access, for any family of resources."""
