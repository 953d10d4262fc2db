"""footpath: customer journey maps inferred from what customers did."""
