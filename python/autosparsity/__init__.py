"""`from autosparsity.sparsity import sparsity_model`, as RKNN-Toolkit2 has it. docs/sparsity.md."""
