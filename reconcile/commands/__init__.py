"""What users can do, one module per noun; every write of the API goes through here."""
