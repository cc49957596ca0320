"""Print results for people and machines: tables, charts, pages and reports."""
