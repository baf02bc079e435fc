"""Photos listed in a table: CSV, TSV or Parquet."""
