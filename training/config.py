"""The sections of an experiment that define a model and its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue, model_validator

from pipelines.address import has_credentials
from pipelines.config import Section
from pipelines.config.section import LATER, PATH
from training import model_registry
from training.model_registry import RegisteredKind

UNPLANNED_BUDGET = 65_536
"""Padded tokens in a batch where memory is not planned; on a CPU larger batches are no faster."""

START: dict[str, JsonValue] = {**PATH, "bundle": True}
"""Marks the key of a bundle to start from: a path, or the address of a bundle elsewhere."""
OF_STRUCTURE = ("reverse_complement", "shift", "site_weight", "validation_bases")
"""Keys of `training` whose default is the task's own; None where they are left out."""


class ModelConfig(Section):
    """The recogniser."""

    RENAMED: ClassVar[Mapping[str, str]] = {"place": "absolute_positions"}

    kind: Annotated[str, RegisteredKind()] = Field(default="lstm", description="architecture")
    embedding: int = Field(default=32, description="size of a token's vector", ge=4, le=1024)
    embedding_file: str | None = Field(
        default=None,
        description="embedding file (.safetensors) with the initial token vectors; its tokenizer has to be that of "
        "the dataset, its size model.embedding",
        json_schema_extra=PATH,
    )
    hidden: int = Field(
        default=32,
        description="size of a recurrent state, in each direction; or the width of the transformer or cnn",
        ge=4,
        le=4096,
    )
    layers: int = Field(default=1, description="recurrent or attention layers, or blocks of convolutions", ge=1, le=48)
    bidirectional: bool = Field(default=True, description="read both ways (lstm, gru)")
    heads: int = Field(
        default=4, description="attention heads; hidden is a multiple of twice as many (transformer)", ge=1, le=64
    )
    window: int = Field(
        default=0,
        description="positions that attention reaches on either side, after the stem's stride (transformer; 0: all)",
        ge=0,
    )
    kernel_width: int = Field(
        default=5,
        description="kernel width of the convolutions, in positions; odd; the dilation doubles from block to block, 1 "
        "to 128 (cnn)",
        ge=1,
        le=63,
        json_schema_extra=LATER,
    )
    absolute_positions: bool = Field(
        default=False,
        description="add a token's position from the start to its vector; for aligned sequences such as promoters",
    )
    stem: int = Field(default=64, description="channels of the convolution before the body (0: none)", ge=0, le=1024)
    stem_width: int = Field(default=9, description="kernel width of the convolution, in tokens", ge=1, le=63)
    stem_stride: int = Field(
        default=2,
        description="stride of the convolution, in tokens; the body reads as many times fewer positions (task "
        "structure: a multiple of 3, by default 9)",
        ge=1,
        le=32,
    )
    frames: int = Field(
        default=1,
        description="interleaved sequences as which the body reads each one, with shared weights: 3 = reading frames",
        ge=1,
        le=16,
    )
    pooling: Literal["mean", "max", "last", "mean+max", "attention"] = Field(
        default="mean+max", description="how the outputs of all positions become one vector"
    )
    dropout: float = Field(default=0.1, description="share of values dropped after embedding and pooling", ge=0, lt=1)
    strands: Literal["single", "averaged", "equivariant"] = Field(
        default="single",
        description="averaged = the mean of the logits of a sequence and of its reverse complement (in training with "
        "training.reverse_complement, that of the strand drawn); equivariant = one pass in which every layer has the "
        "same weights for both; both need tokenizer.stride 1",
        json_schema_extra=LATER,
    )

    ensemble: int = Field(
        default=1,
        description="recognisers that are trained side by side and whose logits are averaged; they take as many times "
        "the time and memory (not in task structure)",
        ge=1,
        le=64,
        json_schema_extra=LATER,
    )
    outputs: int | None = Field(
        default=None,
        description="logits of a row (task classify: one of each class; default: what the dataset needs)",
        ge=1,
        json_schema_extra=LATER,
    )
    base_channels: int = Field(
        default=32,
        description="channels of the convolutions at every base (task structure)",
        ge=4,
        le=1024,
        json_schema_extra=LATER,
    )
    base_layers: int = Field(
        default=3,
        description="residual convolutions at every base before the stem; the dilation doubles from one to the next "
        "(task structure)",
        ge=0,
        le=16,
        json_schema_extra=LATER,
    )
    base_width: int = Field(
        default=9,
        description="kernel width of the convolutions at every base; odd (task structure)",
        ge=1,
        le=63,
        json_schema_extra=LATER,
    )
    output_layers: int = Field(
        default=2,
        description="residual convolutions at every base after the body; the dilation triples from one to the next "
        "(task structure)",
        ge=0,
        le=16,
        json_schema_extra=LATER,
    )

    @property
    def logits(self) -> int:
        """Logits of a row."""
        return self.outputs or 1

    def architecture(self) -> dict[str, Any]:
        """All keys but those that name files: what a model consists of. Bundles store it, and run keys hash it.

        Keys of later versions are left out at their defaults, so that earlier models keep what they are known by.
        """
        document = self.model_dump(mode="json", exclude={"embedding_file"})
        defaults = self.later_defaults()
        return {key: value for key, value in document.items() if key not in defaults or value != defaults[key]}

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), "module_of_kind": model_registry.module_of(self.kind)}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        # Another process, such as a worker of Ray, may not have imported the module of a kind that is not built in.
        model_registry.ensure(state["__dict__"]["kind"], state.pop("module_of_kind"))
        super().__setstate__(state)

    @model_validator(mode="after")
    def _options_fit(self) -> ModelConfig:
        model_registry.get(self.kind).check(self)
        return self


class TrainingConfig(Section):
    """The optimisation."""

    RENAMED: ClassVar[Mapping[str, str]] = {"batch": "global_batch_size", "clip": "max_grad_norm"}

    epochs: int = Field(default=10, description="passes over the train split", ge=1, le=10_000)
    global_batch_size: int = Field(default=64, description="sequences per optimizer step, over all workers", ge=1)
    workers: int = Field(
        default=1, description="processes that share each step; the result does not depend on it", ge=1, le=10_000
    )
    min_workers: int | None = Field(
        default=None,
        description="number of workers to continue with when a lost node is not replaced (default: as many as workers)",
        ge=1,
    )
    retries: int = Field(default=3, description="how often workers are restarted after a crash", ge=0)
    seed: int = Field(default=0, description="seed of weights, order and dropout", ge=0)
    optimizer: Literal["adamw", "adam", "sgd"] = Field(default="adamw", description="optimizer")
    learning_rate: float = Field(default=3e-3, description="highest learning rate", gt=0, le=1)
    initial_rate: float = Field(default=0, description="learning rate at the start of the warm-up", ge=0, le=1)
    warmup: float = Field(default=0.05, description="share of all steps over which the learning rate rises", ge=0, lt=1)
    schedule: Literal["cosine", "exponential", "constant"] = Field(
        default="cosine", description="learning rate after the warm-up: cosine falls to 1 % at the end"
    )
    gamma: float = Field(
        default=0.9, description="factor of the learning rate for each epoch (schedule exponential)", gt=0, le=1
    )
    weight_decay: float = Field(default=0.01, description="weight decay", ge=0, le=1)
    momentum: float = Field(default=0.9, description="momentum (optimizer sgd)", ge=0, lt=1)
    ema_decay: float = Field(
        default=0.0,
        description="share that a moving average of the weights keeps at each step, such as 0.999; validation and the "
        "bundle use the average (0: none)",
        ge=0,
        lt=1,
        json_schema_extra=LATER,
    )
    label_smoothing: float = Field(
        default=0.0,
        description="share by which labels of train are moved towards one half in the loss (task classify: towards the "
        "same share of each class; not in task structure)",
        ge=0,
        lt=1,
        json_schema_extra=LATER,
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none",
        description="weight of a sequence in the loss: balanced = all classes have the same total weight in train",
    )
    reverse_complement: bool | None = Field(
        default=None,
        description="read half of the rows, drawn anew for each epoch, on their other strand (default: true for task "
        "structure, else false; recognition needs tokenizer.stride 1)",
    )
    shift: bool | None = Field(
        default=None,
        description="move each window by up to half its length, drawn anew for each epoch (task structure; default: "
        "true)",
    )
    site_weight: float | None = Field(
        default=None,
        description="weight of the loss of starts, stops, donors and acceptors against that of states (task "
        "structure; default: 10)",
        ge=0,
        le=1000,
    )
    validation_bases: int | None = Field(
        default=None,
        description="bases of validation, spread evenly, that are decoded after each epoch (task structure; default: "
        "2,000,000)",
        ge=1,
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        default="fp32", description="number format of the forward pass; weights stay fp32"
    )
    freeze_embedding: int = Field(
        default=0, description="epochs during which token vectors are not trained (-1: all)", ge=-1
    )
    start_from: str | None = Field(
        default=None,
        description="bundle whose weights training starts from, as a path, an address or a name of raygene models; its "
        "tokenizer has to be that of the dataset, and its architecture that of the experiment (raygene train: --from)",
        json_schema_extra=START,
    )
    head: Literal["keep", "new"] = Field(
        default="keep",
        description="last linear map of a model that starts from a bundle: keep = the bundle's, new = drawn by seed",
        json_schema_extra=LATER,
    )
    freeze_body: int = Field(
        default=0,
        description="epochs during which only the head of a model that starts from a bundle is trained (-1: all)",
        ge=-1,
        json_schema_extra=LATER,
    )
    layer_decay: float = Field(
        default=1.0,
        description="factor of the learning rate from each layer to the one before it, counted from the head down, of "
        "a model that starts from a bundle",
        gt=0,
        le=1,
        json_schema_extra=LATER,
    )
    max_grad_norm: float = Field(default=1.0, description="norm above which the gradient is clipped", gt=0)
    checkpoint_steps: int = Field(
        default=0, description="optimizer steps between checkpoints within an epoch (0: no limit)", ge=0
    )
    checkpoint_seconds: float = Field(
        default=300, description="seconds between checkpoints within an epoch (0: no limit)", ge=0
    )
    log_steps: int = Field(default=20, description="optimizer steps between lines of steps.jsonl and TensorBoard", ge=1)
    tensorboard: bool = Field(default=True, description="write TensorBoard event files to RUN/tensorboard")
    mlflow: str | None = Field(
        default=None,
        description="address of an MLflow tracking server for parameters, metrics and the bundle (default: none); set "
        "a password in MLFLOW_TRACKING_PASSWORD",
    )
    mlflow_experiment: str = Field(default="raygene", description="name of the MLflow experiment", min_length=1)
    patience: int = Field(
        default=0,
        description="epochs without a better validation AUROC (task structure: exon F1) before training stops (0: "
        "never)",
        ge=0,
    )
    token_budget: int | None = Field(
        default=None,
        description="maximum of padded tokens in a batch; cuts a step, never changes it (default: as many as fit)",
        ge=1,
    )
    headroom: float = Field(default=0.1, description="share of a device's memory that stays free", ge=0, lt=1)
    probe: bool = Field(
        default=True, description="measure the memory of the longest sequence on the device before training"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="auto = GPUs if the cluster has any (NVIDIA or AMD, both are called cuda), else CPU",
    )
    layout: Literal["auto", "masked", "packed"] = Field(
        default="auto",
        description="how recurrent layers lay out sequences, with the same result: auto = masked on a CPU, the faster "
        "one on a GPU",
    )
    deterministic: bool = Field(
        default=False,
        description="use only algorithms that give the same bits again on the same device (slower on GPUs)",
    )

    tf32: bool | None = Field(
        default=None,
        description="products in fp32 read 10 bits of each fraction (NVIDIA from Ampere on; several times as fast): "
        "true = all, false = none (default: as PyTorch, convolutions and recurrent layers alone)",
        json_schema_extra=LATER,
    )

    def document(self, exclude: set[str] | None = None) -> dict[str, Any]:
        """The keys with their values as JSON has them; those of one task alone only where they have a value.

        Bundles store it, and run keys hash it. Keys of later versions are left out at their defaults, and so is the
        path of the bundle that training starts from: a run is known by that bundle's digest.

        Args:
            exclude: keys that are left out.
        """
        unset = {key for key in OF_STRUCTURE if getattr(self, key) is None}
        unset |= {key for key, default in self.later_defaults().items() if getattr(self, key) == default}
        return self.model_dump(mode="json", exclude={"start_from", *unset, *(exclude or ())})

    @property
    def trains_body(self) -> bool:
        """Whether anything but the head is trained in any epoch."""
        return 0 <= self.freeze_body < self.epochs

    @property
    def trains_embedding(self) -> bool:
        """Whether token vectors are trained in any epoch."""
        return 0 <= self.freeze_embedding < self.epochs and self.trains_body

    @property
    def budget(self) -> int:
        """Maximum of padded tokens in a batch; without a budget or a plan, a value that suits small models."""
        return self.token_budget or UNPLANNED_BUDGET

    @model_validator(mode="after")
    def _initial_rate_is_lower(self) -> TrainingConfig:
        if self.initial_rate > self.learning_rate:
            raise ValueError(
                f"initial_rate {self.initial_rate:g} is above learning_rate {self.learning_rate:g}; lower it to at "
                "most that"
            )
        return self

    @model_validator(mode="after")
    def _mlflow_has_no_password(self) -> TrainingConfig:
        # The configuration is written to files and bundles. A field validator would show the password in its error.
        if self.mlflow and has_credentials(self.mlflow):
            raise ValueError(
                "mlflow has a password in its address, which would be written next to the results; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment instead"
            )
        return self

    @model_validator(mode="after")
    def _min_workers_is_lower(self) -> TrainingConfig:
        if self.min_workers is not None and self.min_workers > self.workers:
            raise ValueError(
                f"min_workers {self.min_workers} is above workers {self.workers}; lower it to at most that"
            )
        return self
