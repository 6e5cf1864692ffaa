"""Makes the adapters beside it, with PEFT: python make.py (needs torch, transformers and peft).

Each directory is as save_pretrained leaves it, without the model card. golden.safetensors holds what PEFT computes in float32:
input_ids [2, 12], logits (of a classifier scores), the same merged, and of the mean loss the gradients of all that is trained, under the
names of the adapter's file.
"""

import os
import shutil

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

here = os.path.dirname(os.path.abspath(__file__))


def make(name, base, kind, seed, **settings):
    path = os.path.join(here, name)
    base = os.path.join("..", "..", base)
    torch.manual_seed(seed)
    model = kind.from_pretrained(os.path.normpath(os.path.join(path, base)), dtype=torch.float32)
    model.eval()
    classifier = kind is AutoModelForSequenceClassification
    task = "SEQ_CLS" if classifier else "CAUSAL_LM"
    peft = get_peft_model(model, LoraConfig(task_type=task, lora_dropout=0.0, **settings))
    with torch.no_grad():
        for key, p in peft.named_parameters():
            if "lora_B" in key:
                p.normal_(0, 0.25)
            elif "magnitude" in key:
                p.mul_(1 + 0.2 * torch.randn_like(p))
            elif p.requires_grad and "lora_A" not in key:  # biases, a head
                p.add_(0.1 * torch.randn_like(p))
    ids = torch.randint(3, model.config.vocab_size, (2, 12))
    golden = {"input_ids": ids}
    if classifier:
        out = peft(input_ids=ids, labels=torch.tensor([1, 2]))
    else:
        out = peft(input_ids=ids, labels=ids)
    golden["logits"] = out.logits.detach()
    out.loss.backward()
    golden["loss"] = out.loss.detach().reshape(1)
    # Gradients under the names of the file: the state dict of a model whose parameters are their gradients.
    values = {key: p.detach().clone() for key, p in peft.named_parameters()}
    peft.peft_config["default"].base_model_name_or_path = base
    shutil.rmtree(path, ignore_errors=True)
    peft.save_pretrained(path)
    os.remove(os.path.join(path, "README.md"))
    with torch.no_grad():
        for key, p in peft.named_parameters():
            p.copy_(p.grad if p.grad is not None else torch.zeros_like(p))
        for key, p in get_peft_model_state_dict(peft).items():
            golden["grad/" + key] = p.detach().clone()
        for key, p in peft.named_parameters():
            p.copy_(values[key])
        merged = peft.merge_and_unload()
        golden["logits_merged"] = merged(input_ids=ids).logits
    save_file({key: t.contiguous() for key, t in golden.items()}, os.path.join(path, "golden.safetensors"))
    print(name, sorted(golden))


if __name__ == "__main__":
    lm, labels = AutoModelForCausalLM, AutoModelForSequenceClassification
    make("llama-dora", "llama-train", lm, 1, r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "v_proj", "down_proj"])
    make("gpt2-dora", "gpt2-train", lm, 2, r=3, lora_alpha=6, use_dora=True, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)
    make("gpt2-biases", "gpt2-train", lm, 3, r=3, lora_alpha=6, bias="lora_only", target_modules=["c_attn"], fan_in_fan_out=True)
    make("gpt2-all-biases", "gpt2-train", lm, 4, r=2, lora_alpha=6, bias="all", target_modules=["c_attn"], fan_in_fan_out=True)
    make("llama-output", "llama-train", lm, 5, r=3, lora_alpha=6, target_modules=["q_proj"], modules_to_save=["lm_head"])
    make("llama-labels", os.path.join("reward", "llama-3labels"), labels, 6, r=3, lora_alpha=6, target_modules=["q_proj", "up_proj"])
