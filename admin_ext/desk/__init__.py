"""The auditors' desk: reading the record across all models, under the rights of now."""
