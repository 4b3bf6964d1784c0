"""Transformers and state-space models that read, go on with, or mend sequences of tokens."""

from typing import Any

import torch
import torch.nn.functional as F
from case import (
    Goal,
    Published,
    accuracy,
    adam,
    adamw,
    tensor_case,
    warm_up_then_linear,
)
from data_sets import LENGTH, TOKENS, chain_entropy, chains, messages, noisy_copies, progressions
from lightning.pytorch import LightningModule
from torch import Tensor, nn

MASK, VOCABULARY = TOKENS + 1, TOKENS + 2


def bert_classifier() -> LightningModule:
    from transformers import BertConfig, BertForSequenceClassification

    configuration = BertConfig(
        vocab_size=300, hidden_size=64, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=32, num_labels=4,
    )  # fmt: skip
    network = BertForSequenceClassification(configuration)
    return Published(network, read, adamw(1e-3, weight_decay=0.01), warm_up_then_linear)


def read(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    tokens, mask, labels = batch
    found = network(input_ids=tokens, attention_mask=mask, labels=labels)
    return {"loss": found.loss, "acc": accuracy(found.logits, labels)}


def bert_masked() -> LightningModule:
    from transformers import BertConfig, BertForMaskedLM

    configuration = BertConfig(
        vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=32,
    )  # fmt: skip
    network = BertForMaskedLM(configuration)
    return Published(network, fill_in, adamw(3e-3, weight_decay=0.01), warm_up_then_linear)


def fill_in(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    """Other tokens are masked each time, at least one in each sequence."""
    (tokens,) = batch
    hidden = torch.rand(tokens.shape) < 0.15
    hidden[:, 5] = True
    labels = tokens.masked_fill(~hidden, -100)
    found = network(input_ids=tokens.masked_fill(hidden, MASK), labels=labels)
    return {"loss": found.loss, "acc": accuracy(found.logits[hidden], labels[hidden])}


def gpt2() -> LightningModule:
    from transformers import GPT2Config, GPT2LMHeadModel

    configuration = GPT2Config(
        vocab_size=TOKENS, n_positions=LENGTH + 1, n_embd=64, n_layer=2, n_head=4,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    network = GPT2LMHeadModel(configuration)
    return Published(network, go_on, adamw(2e-3, weight_decay=0.01), warm_up_then_linear)


def llama() -> LightningModule:
    from transformers import LlamaConfig, LlamaForCausalLM

    configuration = LlamaConfig(
        vocab_size=TOKENS, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        pad_token_id=None, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    network = LlamaForCausalLM(configuration)
    return Published(network, go_on, adamw(2e-3, weight_decay=0.01), warm_up_then_linear)


def go_on(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    (tokens,) = batch
    return {"loss": network(input_ids=tokens, labels=tokens).loss}


def bart() -> LightningModule:
    from transformers import BartConfig, BartForConditionalGeneration

    configuration = BartConfig(
        vocab_size=32, d_model=48, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=96,
        max_position_embeddings=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=2, forced_eos_token_id=2,
    )  # fmt: skip
    return Published(BartForConditionalGeneration(configuration), mend, adamw(2e-3))


def mend(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    damaged, tokens = batch
    found = network(input_ids=damaged, labels=tokens)
    return {"loss": found.loss, "acc": accuracy(found.logits, tokens)}


def x_transformer() -> LightningModule:
    from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

    decoder = Decoder(dim=64, depth=2, heads=4, rotary_pos_emb=True)
    network = TransformerWrapper(num_tokens=TOKENS, max_seq_len=LENGTH, attn_layers=decoder)
    return Published(AutoregressiveWrapper(network), own_loss, adam(5e-4))


def own_loss(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    (tokens,) = batch
    return {"loss": network(tokens)}


class MambaLanguageModel(nn.Module):
    """Blocks of mambapy between an embedding and a head that share their weights."""

    def __init__(self) -> None:
        from mambapy.mamba import Mamba, MambaConfig, RMSNorm

        super().__init__()
        configuration = MambaConfig(d_model=48, n_layers=2, d_state=8)
        self.embedding, self.blocks = nn.Embedding(TOKENS, 48), Mamba(configuration)
        self.norm, self.head = RMSNorm(48, 1e-5), nn.Linear(48, TOKENS, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.blocks(self.embedding(tokens))))
        return logits


def mamba() -> LightningModule:
    return Published(MambaLanguageModel(), foretell, adamw(2e-3, weight_decay=0.1))


def local_transformer() -> LightningModule:
    from local_attention import LocalTransformer

    network = LocalTransformer(
        num_tokens=TOKENS, dim=64, depth=2, heads=4, max_seq_len=LENGTH, local_attn_window_size=16
    )
    return Published(network, foretell, adam(1e-3))


def foretell(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    (tokens,) = batch
    logits = network(tokens[:, :-1])
    return {"loss": F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())}


# A uniform guess has log(40) = 3.69 nats.
NEAR_THE_ENTROPY = Goal("val_loss", at_most=round(chain_entropy() + 0.25, 2))
CASES = (
    tensor_case(
        "transformers/BertForSequenceClass.", "messages' subjects", bert_classifier, messages, 6,
        Goal("val_acc", at_least=0.95),
    ),
    tensor_case(
        "transformers/BertForMaskedLM", "number progressions", bert_masked, progressions, 12,
        Goal("val_acc", at_least=0.95),
    ),
    tensor_case(
        "transformers/GPT2LMHeadModel", "language of chains", gpt2, chains, 6, NEAR_THE_ENTROPY
    ),
    tensor_case(
        "transformers/LlamaForCausalLM", "language of chains", llama, chains, 5, NEAR_THE_ENTROPY
    ),
    # 86% can be known: all that is not masked, and one of 26 of what is.
    tensor_case(
        "transformers/Bart", "mend noisy copies", bart, noisy_copies, 20,
        Goal("val_acc", at_least=0.8),
    ),
    tensor_case(
        "x_transformers/Decoder", "language of chains", x_transformer, chains, 6, NEAR_THE_ENTROPY
    ),
    tensor_case("mambapy/Mamba", "language of chains", mamba, chains, 4, NEAR_THE_ENTROPY),
    tensor_case(
        "local_attention/LocalTransformer", "language of chains", local_transformer, chains, 4,
        NEAR_THE_ENTROPY,
    ),
)  # fmt: skip
