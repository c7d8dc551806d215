"""SMEC as the paper has it: SMRL with sub-FC, ADS, S-XBM, rank loss with mined hard negatives and 0.1 L_unsup."""

from smec.method import FitJob, Fitted, Method
from smec.options import SmrlOptions


class Smec(Method):
    """The paper's recipe: stage by stage (SMRL), dimensions by ADS, neighbours by S-XBM; with its values."""

    name = "smec"
    schedule = "chain"
    Options = SmrlOptions

    def fit(self, job: FitJob) -> Fitted:
        """Fit one SMRL stage."""
        from smec.smrl import fit_stage

        return fit_stage(self.name, job)


METHOD = Smec()
