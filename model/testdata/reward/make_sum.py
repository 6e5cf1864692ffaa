"""Writes gpt2-sum and llama-sum: token classifiers of one label as transformers saves them, and the sums of their scores over the root of their number."""
import pathlib

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2ForTokenClassification, LlamaConfig, LlamaForTokenClassification

torch.manual_seed(5)
here = pathlib.Path(__file__).parent
common = {"vocab_size": 60, "num_labels": 1, "id2label": {0: "reward"}, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "initializer_range": 0.3}
models = {
    "gpt2-sum": GPT2ForTokenClassification(GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=32, **common)),
    "llama-sum": LlamaForTokenClassification(
        LlamaConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=24, max_position_embeddings=32, **common)
    ),
}
sequences = [torch.randint(1, 60, (n,)) for n in (1, 2, 7, 16, 31)]
for name, model in models.items():
    for parameter in model.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.3)
    model.eval().save_pretrained(here / name)
    golden = {}
    for i, ids in enumerate(sequences):
        golden[f"seq{i}"] = ids
        golden[f"seq{i}.scores"] = model(ids[None]).logits.sum(1)[0].detach() / len(ids) ** 0.5
    save_file(golden, here / name / "golden.safetensors")
