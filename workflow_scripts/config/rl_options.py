"""Options of advantage estimators and policy losses: types, bounds and the published defaults.

One class per name, so that a misspelt or impossible option ends the parse and not an arm that was hours away. The
defaults are those of `rl/advantages.py` and of the loss modules, which these classes may not import (a test compares).
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from workflow_scripts.config.base import NonNegative, Strict

OpenShare = Annotated[float, Field(gt=0, le=1)]
Aggregation = Literal["token-mean", "seq-mean-token-sum", "seq-mean-token-mean"]


class NoOptions(Strict):
    """A loss or estimator without any."""


# ---------------------------------------------------------------------------------------- advantages
class CommonOptions(Strict):
    kl_coef: NonNegative = Field(0.0, description="KL to the starting policy, subtracted from the reward")
    kl_level: Literal["sequence", "token"] = Field("sequence", description="where that KL is subtracted")
    gamma: OpenShare = Field(1.0, description="discount per token; needs kl_level token")
    whiten: bool = Field(False, description="zero mean and unit variance over the tokens of the batch")

    @model_validator(mode="after")
    def discount_needs_tokens(self) -> "CommonOptions":
        if self.gamma != 1 and self.kl_level != "token":
            raise ValueError(f"gamma {self.gamma} discounts tokens and needs kl_level: token")
        return self


class WhitenedOptions(CommonOptions):
    whiten: bool = True


class TokenWhitenedOptions(WhitenedOptions):
    kl_level: Literal["sequence", "token"] = "token"


class DeviationOptions(CommonOptions):
    eps: NonNegative = Field(1e-6, description="added to the group's deviation")
    std_floor: NonNegative = Field(0.0, description="least deviation of a group")


class QuantileOptions(DeviationOptions):
    quantile: OpenShare = Field(0.4, description="of the group's rewards, the baseline")


class PlainAdvantage(Strict):
    name: Literal["reinforce", "rloo", "dr_grpo"]
    options: CommonOptions = CommonOptions()


class ReinforcePlusPlus(Strict):
    name: Literal["reinforce_plus_plus"]
    options: TokenWhitenedOptions = TokenWhitenedOptions()


class ReinforcePlusPlusBaseline(Strict):
    name: Literal["reinforce_plus_plus_baseline"]
    options: WhitenedOptions = WhitenedOptions()


class Grpo(Strict):
    name: Literal["grpo"]
    options: DeviationOptions = DeviationOptions()


class Qae(Strict):
    name: Literal["qae"]
    options: QuantileOptions = QuantileOptions()


Advantage = Annotated[
    PlainAdvantage | ReinforcePlusPlus | ReinforcePlusPlusBaseline | Grpo | Qae, Field(discriminator="name")
]


# -------------------------------------------------------------------------------------------- losses
class ClipOptions(Strict):
    clip_low: NonNegative = Field(0.2, description="the ratio is clipped below 1 - clip_low")
    clip_high: NonNegative = Field(0.2, description="the ratio is clipped above 1 + clip_high")


class PpoClipOptions(ClipOptions):
    dual_clip: Annotated[float, Field(gt=1)] | None = Field(None, description="bound of a bad token's loss, in -A")


class ClipCovOptions(ClipOptions):
    clip_low: NonNegative = 1.0
    clip_high: NonNegative = 1.0
    clip_cov_ratio: OpenShare = Field(2e-4, description="share of the tokens that is drawn")
    cov_low: float = Field(1.0, description="covariance above which a token may be drawn")
    cov_high: float = Field(5.0, description="covariance below which a token may be drawn")

    @model_validator(mode="after")
    def band_is_not_empty(self) -> "ClipCovOptions":
        if self.cov_low >= self.cov_high:
            raise ValueError(f"cov_low {self.cov_low} is not below cov_high {self.cov_high}")
        return self


class KlCovOptions(Strict):
    kl_cov_ratio: OpenShare = Field(2e-3, description="share of the tokens that is penalised")
    kl_cov_coef: NonNegative = Field(1.0, description="coefficient of the penalty")


class GspoOptions(ClipOptions):
    clip_low: NonNegative = 3e-4
    clip_high: NonNegative = 4e-4


class CispoOptions(ClipOptions):
    clip_low: NonNegative = Field(10.0, description="10: no bound below")


class EntropyMaskOptions(ClipOptions):
    clip_high: NonNegative = 0.28
    entropy_share: OpenShare = Field(0.2, description="share of the tokens, by entropy, that keeps its gradient")


class Control(Strict):
    """Policy loss: what is done about the entropy."""

    aggregation: Aggregation = "token-mean"
    scope: Literal["micro_batch", "mini_batch"] = Field(
        "mini_batch", description="over what a loss compares tokens; micro_batch: as the papers' code does"
    )
    normalization: Literal["micro_batch", "mini_batch"] = Field(
        "mini_batch",
        description="over what a loss is averaged; micro_batch: means weighted by responses, as in [E]'s code",
    )
    entropy_coef: NonNegative | None = Field(None, description="overrides the algorithm's entropy bonus")
    entropy_target: NonNegative | None = Field(None, description="overrides the algorithm's target of its adaptation")


class Reinforce(Control):
    loss: Literal["reinforce"]
    options: NoOptions = NoOptions()


class PpoClip(Control):
    loss: Literal["ppo_clip"]
    options: PpoClipOptions = PpoClipOptions()


class ClipCov(Control):
    loss: Literal["clip_cov"]
    options: ClipCovOptions = ClipCovOptions()


class KlCov(Control):
    loss: Literal["kl_cov"]
    options: KlCovOptions = KlCovOptions()


class Gspo(Control):
    loss: Literal["gspo"]
    options: GspoOptions = GspoOptions()
    aggregation: Literal["seq-mean-token-mean"] = Field("seq-mean-token-mean", description="the only one it has")


class Cispo(Control):
    loss: Literal["cispo"]
    options: CispoOptions = CispoOptions()


class CwGrpo(Control):
    loss: Literal["cw_grpo"]
    options: ClipOptions = ClipOptions()


class EntropyMask(Control):
    loss: Literal["entropy_mask"]
    options: EntropyMaskOptions = EntropyMaskOptions()


EntropyControl = Annotated[
    Reinforce | PpoClip | ClipCov | KlCov | Gspo | Cispo | CwGrpo | EntropyMask, Field(discriminator="loss")
]
