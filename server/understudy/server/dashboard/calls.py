"""The RPCs that pages stand for, by their full names: their table of roles is the pages' too."""

from typing import Final

_EXPERIMENT: Final = "/understudy.v1.ExperimentService/"
_RECORD: Final = "/understudy.v1.RecordService/"
_OPERATIONS: Final = "/understudy.v1.OperationsService/"

CREATE_EXPERIMENT: Final = f"{_EXPERIMENT}CreateExperiment"
GET_EXPERIMENT: Final = f"{_EXPERIMENT}GetExperiment"
LIST_EXPERIMENTS: Final = f"{_EXPERIMENT}ListExperiments"
UPDATE_EXPERIMENT: Final = f"{_EXPERIMENT}UpdateExperiment"
DELETE_EXPERIMENT: Final = f"{_EXPERIMENT}DeleteExperiment"
START_EXPERIMENT: Final = f"{_EXPERIMENT}StartExperiment"
PAUSE_EXPERIMENT: Final = f"{_EXPERIMENT}PauseExperiment"
RESUME_EXPERIMENT: Final = f"{_EXPERIMENT}ResumeExperiment"
ROLL_BACK_EXPERIMENT: Final = f"{_EXPERIMENT}RollbackExperiment"
CONCLUDE_EXPERIMENT: Final = f"{_EXPERIMENT}ConcludeExperiment"
LIST_AUDIT_ENTRIES: Final = f"{_EXPERIMENT}ListAuditEntries"

LIST_RECORDS: Final = f"{_RECORD}ListRecords"
LIST_PAIRS: Final = f"{_RECORD}ListPairs"
GET_PAIR: Final = f"{_RECORD}GetPair"
GET_REPORT: Final = f"{_RECORD}GetReport"
CREATE_FEEDBACK: Final = f"{_RECORD}CreateFeedback"

GET_STATUS: Final = f"{_OPERATIONS}GetStatus"
PAUSE_MIRRORING: Final = f"{_OPERATIONS}PauseMirroring"
RESUME_MIRRORING: Final = f"{_OPERATIONS}ResumeMirroring"
