"""The product: vocabulary, contract and planner (pure), and the runtime that makes plans come true."""
