"""Train on the months before, score the leads of the month."""

from metaflow import FlowSpec, Parameter, card, conda_base, current, resources, retry, schedule, step
from metaflow.cards import Markdown


@schedule(cron="0 6 2 * ? *")
@conda_base(python="3.11.9", libraries={"pandas": "2.2.3", "scikit-learn": "1.6.1", "pyarrow": "19.0.1"})
class LeadScores(FlowSpec):
    month = Parameter("month", required=True)
    seed = Parameter("seed", default=21)

    @retry(times=3)
    @step
    def start(self):
        import pandas as pd

        self.leads = pd.read_parquet(f"s3://acme-leads/{self.month}.parquet")
        self.depths = [3, 6, 12]
        self.next(self.fit, foreach="depths")

    @resources(memory=16_000, cpu=4)
    @step
    def fit(self):
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import cross_val_score

        self.model = RandomForestClassifier(max_depth=self.input, random_state=self.seed)
        X, y = self.leads.drop(columns=["won", "lead_id"]), self.leads["won"]
        self.score = cross_val_score(self.model, X, y, cv=5, scoring="roc_auc").mean()
        self.model.fit(X, y)
        self.next(self.choose)

    @card
    @step
    def choose(self, inputs):
        best = max(inputs, key=lambda each: each.score)
        self.model, self.score = best.model, best.score
        current.card.append(Markdown(f"AUC {self.score:.3f} over five folds"))
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    LeadScores()
