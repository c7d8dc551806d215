"""A folder with a sentence-transformers model: a BERT of one layer, random weights, its own few words."""

WIDTH = 16


def tiny_bert(root, words, layers=1):
    """Write the model below `root` and return its folder; `words` are whole tokens, all else is spelt."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *words, *"abcdefghijklmnopqrstuvwxyz:"]
    (root / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 2 * WIDTH}
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=WIDTH, max_position_embeddings=32, **sizes)
    BertModel(config).save_pretrained(root / "bert")
    BertTokenizer(str(root / "vocab.txt"), model_max_length=32).save_pretrained(root / "bert")
    transformer = Transformer(str(root / "bert"))
    SentenceTransformer(modules=[transformer, Pooling(WIDTH)], device="cpu").save(str(root / "model"))
    return root / "model"
