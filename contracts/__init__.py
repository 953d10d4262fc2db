"""What every part of footpath agrees on: configuration, table schemas, the lake, errors."""
