"""Embedded stack: PostgreSQL, Valkey and a mail catcher from wheels, kept in one folder and supervised as one."""
