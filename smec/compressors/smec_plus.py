"""placeholder"""

from smec.method import FitJob, Fitted, Method
from smec.smrl import SmrlOptions, fit_stage


class SmecPlus(Method):
    """The paper's recipe: every default of `SmrlOptions` is the paper's where the paper says one."""

    name = "smec_plus"
    schedule = "chain"
    Options = SmrlOptions

    def fit(self, job: FitJob) -> Fitted:
        """Fit one SMRL stage."""
        return fit_stage(self.name, job)


METHOD = SmecPlus()
