"""Says which groups experiments name that the configuration file no longer has. Pure."""

from collections.abc import Iterable, Iterator

from understudy.server.domain.experiments import Experiment, State
from understudy.server.errors import UnderstudyError
from understudy.server.experiments.checking import FindGroup


def find_lacking(experiments: Iterable[Experiment], find: FindGroup) -> Iterator[str]:
    """Yield a line for each group that calls would be sent to if it were there."""
    for one in experiments:
        if one.state is State.DRAFT:
            continue  # to start it, its groups must be there
        name = f"experiment {one.id!r}"
        tail = "which is not in the file"
        if one.model_group and not _is_there(one.model_group, find):
            yield f"{name} has taken over model group {one.model_group!r}, {tail}"
        for variant in one.variants:
            if _answers(one, variant.id) and not _is_there(variant.model_group, find):
                group = variant.model_group
                told = f"{name} variant {variant.id!r} names model group {group!r}, {tail}"
                yield f"{told}: its calls fail"
        for part in one.mirror:
            if one.state.is_live and not _is_there(part.model_group, find):
                yield f"{name} mirrors to model group {part.model_group!r}, {tail}"


def _answers(experiment: Experiment, variant: str) -> bool:
    """Whether callers may get the variant as the experiment is, or once it is rolled back."""
    if experiment.state is State.CONCLUDED:
        return variant == experiment.winner
    if variant == experiment.control:
        return True
    return experiment.state.is_live and experiment.variant(variant).weight > 0


def _is_there(group: str, find: FindGroup) -> bool:
    try:
        find(group)
    except UnderstudyError:
        return False
    return True
