"""Updates of a LoRA by PEFT on PyTorch, or of the whole model: the peer of `parley bench train --preset smollm2 [--lora]`.

    python lora_peft.py --base bf16            # LoRA of rank 8 on queries and values (PEFT's default), base in bfloat16
    python lora_peft.py --base f32
    python lora_peft.py --full                 # full fine-tuning

Prints the median of tokens/s and the peak memory of the process. Nothing else may run beside it: PyTorch's threads busy-wait.
"""
import argparse
import resource
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

p = argparse.ArgumentParser()
p.add_argument("--base", choices=["f32", "bf16"], default="bf16")
p.add_argument("--full", action="store_true")
p.add_argument("--compile", action="store_true")
p.add_argument("--rank", type=int, default=8)
p.add_argument("--batch", type=int, default=4)
p.add_argument("--context", type=int, default=256)
p.add_argument("--steps", type=int, default=7)
p.add_argument("--threads", type=int, default=0)
a = p.parse_args()
if a.threads:
    torch.set_num_threads(a.threads)
torch.manual_seed(1)
config = LlamaConfig(
    vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
    max_position_embeddings=2048, tie_word_embeddings=True, use_cache=False,
)
torch.set_default_dtype(torch.bfloat16 if a.base == "bf16" and not a.full else torch.float32)
model = LlamaForCausalLM(config)
torch.set_default_dtype(torch.float32)
if not a.full:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(model, LoraConfig(r=a.rank, lora_alpha=2 * a.rank, lora_dropout=0.0, task_type="CAUSAL_LM"))
trained = [x for x in model.parameters() if x.requires_grad]
print(f"{sum(x.numel() for x in trained):,} of {sum(x.numel() for x in model.parameters()):,} parameters are trained")
optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
model.train()
step_model = torch.compile(model) if a.compile else model


def update():
    ids = torch.randint(0, config.vocab_size, (a.batch, a.context + 1))
    logits = step_model(input_ids=ids[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.float().view(-1, config.vocab_size), ids[:, 1:].reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


for _ in range(2):
    update()
rates = []
for _ in range(a.steps):
    start = time.perf_counter()
    update()
    rates.append(a.batch * a.context / (time.perf_counter() - start))
print(f"{statistics.median(rates):.1f} tokens/s ({min(rates):.1f} to {max(rates):.1f}), peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")
