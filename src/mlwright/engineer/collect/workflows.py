"""CI definitions of every common host in one shape: what starts them, and the steps that they run."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from mlwright.engineer.collect.steps import Keys, commands, dicts_below, strings
from mlwright.engineer.facts.configuration import Document, DocumentKind, Plain, Workflow, WorkflowStep
from mlwright.model.findings import Location

Actions = Mapping[str, Document]

_NORMAL = {
    "workflow_dispatch": "manual",
    "pull_request_target": "pull_request_target",
    "merge_request": "pull_request",
    "merge_requests": "pull_request",
    "merge_request_event": "pull_request",
    "external_pull_requests": "pull_request",
    "schedules": "schedule",
    "cron": "schedule",
    "web": "manual",
    "custom": "manual",
    "pushes": "push",
    "branches": "push",
    "tag": "push",
    "tags": "push",
    "promote": "manual",
}


def workflows_of(documents: Sequence[Document]) -> tuple[Workflow, ...]:
    """The workflows among these documents, one for each document that defines one."""
    actions = {
        posixpath.dirname(each.path): each
        for each in documents
        if each.path.rpartition("/")[2] in {"action.yml", "action.yaml"}
    }
    found = []
    for document in documents:
        if document.kind is DocumentKind.WORKFLOW and isinstance(document.data, dict):
            host, read = _reader(document.path.lower())
            one = read(host, document, actions)
            found += [one] if one is not None else []
    return tuple(found)


def _reader(path: str) -> tuple[str, Callable[[str, Document, Actions], Workflow | None]]:
    name = path.rpartition("/")[2]
    if "/workflows/" in path and ".github/" in path:
        return "github", _github
    if ".gitlab" in path:
        return "gitlab", _gitlab
    if ".circleci/" in path:
        return "circleci", _circleci
    if "azure" in path:
        return "azure", _azure
    for host in ("bitbucket", "travis", "drone", "woodpecker", "buildkite", "cloudbuild", "buildspec"):
        if host in (path if host in {"woodpecker", "buildkite"} else name):
            return host, _plain
    return "other", _plain


def _workflow(
    host: str,
    document: Document,
    triggers: Sequence[str],
    steps: Sequence[WorkflowStep],
    crons: Sequence[str] = (),
) -> Workflow:
    name = document.get("name")
    named = {_NORMAL.get(each, each) for each in triggers} | ({"schedule"} if crons else set())
    return Workflow(
        host=host,
        path=document.path,
        name=name if isinstance(name, str) else document.path.rpartition("/")[2],
        triggers=tuple(sorted(named)),
        crons=tuple(crons),
        steps=tuple(sorted(steps, key=lambda each: each.at.line or 0)),
        document=document,
    )


def _github(host: str, document: Document, actions: Actions) -> Workflow | None:
    jobs = document.get("jobs")
    if not isinstance(jobs, dict):
        return None
    on = document.get("on")
    triggers = [on] if isinstance(on, str) else list(on) if isinstance(on, dict) else strings(on)
    schedule = document.get("on", "schedule")
    crons = _crons(schedule)
    steps: list[WorkflowStep] = []
    for job, body in jobs.items():
        if not isinstance(body, dict):
            continue
        if isinstance(body.get("uses"), str):
            at = document.at("jobs", job, "uses")
            steps.append(WorkflowStep(name=job, run="", uses=body["uses"], at=at, job=job))
        for keys, step in dicts_below(document, ("jobs", job, "steps")):
            if len(keys) == 4:
                steps.append(_github_step(document, keys, step, job))
                steps += _inlined(steps[-1], actions)
    return _workflow(host, document, triggers, steps, crons)


def _github_step(document: Document, keys: Keys, step: dict[str, Plain], job: str) -> WorkflowStep:
    run, uses, name = step.get("run"), step.get("uses"), step.get("name")
    return WorkflowStep(
        name=name if isinstance(name, str) else "",
        run=run if isinstance(run, str) else "",
        uses=uses if isinstance(uses, str) else "",
        at=document.at(*keys, "uses" if isinstance(uses, str) else "run" if isinstance(run, str) else "name"),
        job=job,
    )


def _inlined(step: WorkflowStep, actions: Actions) -> Iterator[WorkflowStep]:
    """The steps of a composite action of this repository, as steps of the job that uses it."""
    action = actions.get(posixpath.normpath(step.uses)) if step.uses.startswith("./") else None
    listed = action.get("runs", "steps") if action is not None else None
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            run, uses, name = (each.get(key) for key in ("run", "uses", "name"))
            yield WorkflowStep(
                name=name if isinstance(name, str) else "",
                run=run if isinstance(run, str) else "",
                uses=uses if isinstance(uses, str) else "",
                at=step.at,
                job=step.job,
            )


def _crons(listed: Plain) -> list[str]:
    blocks = listed if isinstance(listed, list) else ()
    return [str(each["cron"]) for each in blocks if isinstance(each, dict) and "cron" in each]


_GITLAB_WORDS = {
    *("stages", "variables", "default", "include", "workflow", "image", "services", "cache", "before_script"),
    *("after_script", "spec", "types"),
}


def _gitlab(host: str, document: Document, actions: Actions) -> Workflow | None:
    del actions
    triggers: list[str] = []
    steps: list[WorkflowStep] = []
    for name, body in document.data.items():
        if name in _GITLAB_WORDS or name.startswith(".") or not isinstance(body, dict):
            continue
        job = _extended(document, body)
        run = commands(job.get("before_script"), job.get("script"), job.get("after_script"))
        if run or "trigger" in job:
            at = document.at(name, "script")
            steps.append(WorkflowStep(name=name, run=run, uses="", at=at, job=name))
        triggers += _gitlab_triggers(job)
    triggers += _gitlab_triggers(document.data.get("workflow") or {})
    include = document.get("include")
    for position, each in enumerate(include if isinstance(include, list) else [include] if include else []):
        used = each if isinstance(each, str) else commands(*each.values()) if isinstance(each, dict) else ""
        steps.append(
            WorkflowStep(
                name="include", run="", uses=used, at=document.at("include", position), job="include"
            )
        )
    return _workflow(host, document, triggers or ["push"], steps) if steps else None


def _extended(document: Document, body: dict[str, Plain]) -> dict[str, Plain]:
    """A job with what it ``extends`` below it, three levels deep."""
    for _ in range(3):
        names = body.get("extends")
        bases = [names] if isinstance(names, str) else strings(names)
        merged: dict[str, Plain] = {}
        for name in bases:
            base = document.data.get(name)
            merged |= base if isinstance(base, dict) else {}
        if not merged:
            break
        body = {**merged, **{key: value for key, value in body.items() if key != "extends"}}
    return body


def _gitlab_triggers(job: Plain) -> list[str]:
    if not isinstance(job, dict):
        return []
    only = job.get("only")
    refs = only.get("refs") if isinstance(only, dict) else only
    found = ["push" if each in {"main", "master", "branches", "tags"} else each for each in strings(refs)]
    rules = job.get("rules")
    for rule in rules if isinstance(rules, list) else ():
        text = str(rule.get("if", "")) if isinstance(rule, dict) else ""
        if re.search(r"PIPELINE_SOURCE\s*==", text):
            found += re.findall(r"PIPELINE_SOURCE\s*==\s*[\"'](\w+)[\"']", text)
        elif "CI_MERGE_REQUEST" in text:
            found.append("pull_request")
        elif "CI_COMMIT_" in text:
            found.append("push")
    if job.get("when") == "manual":
        found.append("manual")
    known = {"push", "pull_request", "schedule", "manual", "trigger", "pipeline", "api", *_NORMAL}
    return [each for each in found if each in known]


def _circleci(host: str, document: Document, actions: Actions) -> Workflow | None:
    del actions
    steps: list[WorkflowStep] = []
    for above in ("jobs", "commands"):
        blocks = document.get(above)
        for job in blocks if isinstance(blocks, dict) else ():
            listed = document.get(above, job, "steps")
            for position, step in enumerate(listed if isinstance(listed, list) else ()):
                steps += _circle_step(document, (above, job, "steps", position), step, job)
    crons = [
        str(each["cron"])
        for keys, each in dicts_below(document, ("workflows",))
        if keys[-1] == "schedule" and "cron" in each
    ]
    orbs = document.get("orbs")
    for name, orb in orbs.items() if isinstance(orbs, dict) else ():
        steps.append(
            WorkflowStep(name=name, run="", uses=str(orb)[:200], at=document.at("orbs", name), job="orbs")
        )
    return _workflow(host, document, ["push"], steps, crons) if steps else None


def _circle_step(document: Document, keys: Keys, step: Plain, job: str) -> Iterator[WorkflowStep]:
    if isinstance(step, str):
        yield WorkflowStep(name=step, run="", uses=step, at=document.at(*keys), job=job)
        return
    for name, body in step.items() if isinstance(step, dict) else ():
        run = body if isinstance(body, str) else body.get("command", "") if isinstance(body, dict) else ""
        label = body.get("name", "") if isinstance(body, dict) else ""
        isrun = name == "run"
        yield WorkflowStep(
            name=str(label),
            run=str(run) if isrun else "",
            uses="" if isrun else name,
            at=document.at(*keys, name),
            job=job,
        )


def _azure(host: str, document: Document, actions: Actions) -> Workflow | None:
    del actions
    steps = []
    for keys, step in dicts_below(document, ()):
        run = next((step[key] for key in ("script", "bash", "pwsh", "powershell") if key in step), None)
        uses = step.get("task", step.get("template"))
        inline = step.get("inputs", {}).get("inlineScript") if isinstance(step.get("inputs"), dict) else None
        if isinstance(run, str) or isinstance(uses, str):
            steps.append(
                WorkflowStep(
                    name=str(step.get("displayName", "")),
                    run=run if isinstance(run, str) else inline if isinstance(inline, str) else "",
                    uses=uses if isinstance(uses, str) else "",
                    at=document.at(*keys),
                    job=str(next((each for each in reversed(keys) if isinstance(each, str)), "")),
                )
            )
    crons = _crons(document.get("schedules"))
    triggers = ["push"] if document.get("trigger") != "none" else []
    triggers += ["pull_request"] if document.get("pr") not in (None, "none") else []
    return _workflow(host, document, triggers or ["manual"], steps, crons) if steps else None


_SHELL = (
    "script",
    "commands",
    "command",
    "install",
    "before_script",
    "after_success",
    "deploy",
    "run",
    "args",
)


def _plain(host: str, document: Document, actions: Actions) -> Workflow | None:
    """Hosts whose steps are mappings with commands: Bitbucket, Travis, Drone, Woodpecker, Buildkite and their like."""
    del actions
    steps: list[WorkflowStep] = []
    for keys, step in dicts_below(document, ()):
        run = commands(*(step.get(key) for key in _SHELL))
        image = step.get("image", step.get("pipe", step.get("plugin")))
        uses = image if isinstance(image, str) and (not run or "pipe" in step) else ""
        if host == "cloudbuild" and isinstance(step.get("name"), str) and len(keys) == 2:
            uses = step["name"]
        if run or uses:
            name = str(step.get("name", ""))
            job = str(next((each for each in reversed(keys) if isinstance(each, str)), host))
            steps.append(WorkflowStep(name=name, run=run, uses=uses, at=document.at(*keys), job=job))
    pipelines = document.get("pipelines")
    triggers: list[str] = []
    if isinstance(pipelines, dict):
        names = {"default": "push", "pull-requests": "pull_request"}
        triggers = [names.get(str(each), str(each)) for each in pipelines if each != "definitions"]
    events = document.get("trigger", "event") or document.get("when", "event")
    triggers += [events] if isinstance(events, str) else strings(events)
    return _workflow(host, document, triggers or ["push"], steps) if steps else None


_LARGEST_JENKINS = 100_000
_SH = re.compile(
    r"\b(?:sh|bat|powershell)\s{0,4}\(?\s{0,80}(?:label\s{0,4}:[^,\n]{0,200},\s{0,80})?(?:script\s{0,4}:\s{0,80})?"
    r"(?:'''(.{0,20000}?)'''|\"\"\"(.{0,20000}?)\"\"\"|'([^'\n]{0,2000})'|\"([^\"\n]{0,2000})\")",
    re.DOTALL,
)
_STAGE = re.compile(r"\bstage\s*\(\s*[\"']([^\"'\n]{1,200})[\"']")
_CRON = re.compile(r"\bcron\s*\(\s*[\"']([^\"'\n]{1,200})[\"']")


def jenkins(path: str, text: str) -> Workflow:
    """The stages and shell steps of a Jenkinsfile, found in its text; Groovy is not run."""
    found: list[tuple[int, str, str]] = [
        (each.start(), "stage", each.group(1)) for each in _STAGE.finditer(text)
    ]
    for each in _SH.finditer(text):
        found.append((each.start(), "sh", "".join(part or "" for part in each.groups())))
    job = ""
    steps: list[WorkflowStep] = []
    for start, kind, value in sorted(found):
        if kind == "stage":
            job = value
            continue
        at = Location(path=path, line=text.count("\n", 0, start) + 1)
        steps.append(WorkflowStep(name="", run=value, uses="", at=at, job=job))
    crons = tuple(each.group(1) for each in _CRON.finditer(text))
    triggers = ("push", "schedule") if crons else ("push",)
    return Workflow(
        host="jenkins",
        path=path,
        name=path,
        triggers=triggers,
        crons=crons,
        steps=tuple(steps),
        document=None,
    )
