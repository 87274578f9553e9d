"""The product: vocabulary, contract and planner (pure), and the runtime that runs the plans."""
