"""From files to records: rows are read, judged and built one by one, in memory that does not grow with the file."""
