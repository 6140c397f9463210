"""One module for each revision of the schema, oldest first; a published one is never changed."""
