"""The one list of what the record leaves out, with the reason for each. A contract test holds it complete."""

# Model label -> why its rows have no history.
EXEMPT_MODELS = {
    "sessions.Session": "who is logged in just now is not a fact about the business",
    "contenttypes.ContentType": "made by migrations, never by a person",
    "auth.Permission": "made by migrations, never by a person",
    "auth.Group": "recorded through its proxy accounts.Role",
    "auth.Group_permissions": "recorded through its proxy accounts.RolePermission",
    "admin.LogEntry": "not written: change sets take its place",
    "axes.AccessAttempt": "throttling counters, pruned by axes",
    "axes.AccessAttemptExpiration": "throttling counters, pruned by axes",
    "axes.AccessFailureLog": "throttling counters, pruned by axes",
    "axes.AccessLog": "log of logins kept by axes",
    "guardian.UserObjectPermission": "not used: grants live in direct-foreign-key tables",
    "guardian.GroupObjectPermission": "not used: grants live in direct-foreign-key tables",
    "audit.ChangeSet": "is the record itself",
    "audit.AccessEvent": "is the record itself, of what was read",
    "audit.Tombstone": "is the record itself, of what was erased",
    "audit.ReasonRule": "follows from the models; migrations write it",
    "audit.ContextKey": "secrets must not be kept for ever; made by migrations",
    "audit.SealedTable": "names of sealed tables, bound into every leaf",
    "audit.Leaf": "a seal; seals seal themselves",
    "audit.Block": "a seal; seals seal themselves",
    "audit.RecordedColumn": "is the record itself, of how it came to have its columns",
    "desk.Case": "follows from acts and reviews; the database writes it",
    "jobs.Job": "progress and leases change many times a second; events tell its story",
    "jobs.JobEvent": "only ever appended to",
    "jobs.JobFile": "describes a file; who made and fetched it stands in the job's events",
    "jobs.DueTime": "when a schedule was due, and the job that came of it; only ever appended to",
    "jobs.WorkerBeat": "when a worker was last seen",
    "plans.Plan": "a proposal; what it did is told by its change set",
    "plans.PlanRow": "a proposal; what it did is told by its change set",
    "filtering.QueueLease": "who works on what just now; it ends by itself within minutes",
    "notices.Notice": "a bell that rang, read or unread",
    "notices.OpenForm": "who has a form open just now is not a fact about the business; kept for a minute",
}

# Column names left out of every history table that would otherwise carry them.
EXEMPT_COLUMNS = {
    "last_login": "written at every login; the sessions tell it",
    "password": "a hash must not be kept for ever; password_changed_at tells that it changed",
}
