"""What monitoring keeps: performance and drift per window, references, alerts. The caller owns the transaction."""

from mlwright.stages.monitoring.drift_store import HOURS_KEPT as HOURS_KEPT
from mlwright.stages.monitoring.drift_store import OF_REFERENCE as OF_REFERENCE
from mlwright.stages.monitoring.drift_store import SERVED as SERVED
from mlwright.stages.monitoring.drift_store import Reference as Reference
from mlwright.stages.monitoring.drift_store import get_reference as get_reference
from mlwright.stages.monitoring.drift_store import list_counts as list_counts
from mlwright.stages.monitoring.drift_store import list_drift as list_drift
from mlwright.stages.monitoring.drift_store import roll_up as roll_up
from mlwright.stages.monitoring.drift_store import save_counts as save_counts
from mlwright.stages.monitoring.drift_store import save_drift as save_drift
from mlwright.stages.monitoring.drift_store import save_reference as save_reference
from mlwright.stages.monitoring.inbox import SavedAlert as SavedAlert
from mlwright.stages.monitoring.inbox import acknowledge as acknowledge
from mlwright.stages.monitoring.inbox import firing as firing
from mlwright.stages.monitoring.inbox import get_alert as get_alert
from mlwright.stages.monitoring.inbox import list_alerts as list_alerts
from mlwright.stages.monitoring.inbox import resolve as resolve
from mlwright.stages.monitoring.inbox import save_alert as save_alert
from mlwright.stages.monitoring.performance_store import Granularity as Granularity
from mlwright.stages.monitoring.performance_store import count_answers as count_answers
from mlwright.stages.monitoring.performance_store import list_parts as list_parts
from mlwright.stages.monitoring.performance_store import list_performance as list_performance
from mlwright.stages.monitoring.performance_store import save_parts as save_parts
from mlwright.stages.monitoring.performance_store import save_performance as save_performance
