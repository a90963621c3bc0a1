"""What a parameter is: a field of a group with its default, allowed values, unit and meaning.

The name of a ROS parameter consists of its group and its field: `tracker.max_lost_s` is the field
`max_lost_s` of the group `tracker`.
"""

import contextlib
import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, TypeVar


class ConfigError(ValueError):
    """A parameter is invalid; the message gives its name, its value and the allowed values."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The meaning and the allowed values of a parameter.

    Attributes:
        description: one line, with the unit.
        minimum, maximum: the allowed range, inclusive; None: no limit.
        step: the value must be a multiple of it; 0: any value.
        choices: the allowed strings, for a list the allowed items; empty: any.
        pattern: a regular expression that the value must match; `choices` then only document
            it.
        live: whether it may change while the node is active; it then applies from the next image.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    step: int = 0
    choices: tuple[str, ...] = ()
    pattern: str = ""
    live: bool = False

    def allowed(self) -> str:
        """Return the allowed values as text."""
        if self.choices:
            return "must be " + "one of " * (len(self.choices) > 1) + ", ".join(self.choices)
        if self.minimum is None or self.maximum is None:
            return ""
        words = f"must be from {self.minimum:g} to {self.maximum:g}"
        return words + f" in steps of {self.step}" if self.step else words

    def admits(self, value: object) -> bool:
        """Return whether the value, which has the right type, is allowed."""
        if self.pattern:
            return re.fullmatch(self.pattern, str(value)) is not None
        return all(map(self._admits_item, value if isinstance(value, tuple) else (value,)))

    def _admits_item(self, value: object) -> bool:
        """Return whether a value that is not a list, or an item of a list, is allowed."""
        if self.choices:
            return str(value) in self.choices
        if self.minimum is None or self.maximum is None or not isinstance(value, int | float):
            return True
        in_range = math.isfinite(value) and self.minimum <= value <= self.maximum
        return in_range and not (self.step and value % self.step)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One ROS parameter: its full name, such as `tracker.max_lost_s`, its default and its Spec."""

    name: str
    default: Any
    spec: Spec


def param(default: Any, description: str, **limits: Any) -> Any:
    """Return a field with a default and the description and limits of its `Spec`."""
    return field(default=default, metadata={"spec": Spec(description, **limits)})


def _check(name: str, value: object, item: Field[Any]) -> object:
    """Return the value in its parameter's type; raise ConfigError where it cannot be used."""
    default: Any = item.default
    kind, given = type(default), value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            value = float(value)
    if kind is str and isinstance(value, bool):  # YAML reads the word true as a bool
        value = str(value).lower() if "true" in item.metadata["spec"].choices else value
    if kind is tuple:
        value = _items(name, value, type(default[0]))
    if type(value) is not kind:
        raise ConfigError(f"{name} is {value!r}, must be of type {kind.__name__}")
    spec: Spec = item.metadata["spec"]
    if not spec.admits(value):
        raise ConfigError(f"{name} is {given!r}, {spec.allowed()}")
    return value


def _items(name: str, value: object, kind: type) -> tuple[Any, ...]:
    """Return a list of items of one type; a single item is a list of one.

    YAML reads the words true and false as booleans.
    """
    alone = isinstance(value, str) or not isinstance(value, Sequence)
    items = (value,) if alone else tuple(value)  # type: ignore[arg-type]
    if kind is str:
        items = tuple(str(item).lower() if isinstance(item, bool) else item for item in items)
    if not items or not all(type(item) is kind for item in items):
        raise ConfigError(f"{name} is {value!r}, must be a list of at least one {kind.__name__}")
    return items


class Group:
    """Parameters whose names share a prefix; every field is checked once, at construction."""

    __slots__ = ()
    prefix: ClassVar[str]

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            value = _check(f"{self.prefix}.{item.name}", getattr(self, item.name), item)
            object.__setattr__(self, item.name, value)
        self._check_together()

    def _check_together(self) -> None:
        """Raise ConfigError if values are valid individually but not in combination."""


ConfigT = TypeVar("ConfigT", bound="NodeConfig")


class NodeConfig:
    """All parameters of a node, in groups, each of which is a field."""

    __slots__ = ()

    @classmethod
    def groups(cls) -> dict[str, Any]:
        """Return the class of each group by its prefix."""
        return {item.name: item.default_factory for item in fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def from_parameters(cls: type[ConfigT], values: Mapping[str, object]) -> ConfigT:
        """Return the configuration with these values and the defaults of the rest.

        Args:
            values: full parameter name -> value.

        Raises:
            ConfigError: an unknown name, a wrong type or a value out of its range.
        """
        groups = cls.groups()
        given: dict[str, dict[str, object]] = {prefix: {} for prefix in groups}
        known = parameter_names(cls)
        for name, value in values.items():
            if name not in known:
                raise ConfigError(unknown_parameter(name, known))
            prefix, _, field_name = name.partition(".")
            given[prefix][field_name] = value
        return cls(**{prefix: groups[prefix](**fields_) for prefix, fields_ in given.items()})

    def as_parameters(self) -> dict[str, Any]:
        """Return every parameter's full name and value."""
        return {
            parameter.name: getattr(getattr(self, prefix), field_name)
            for parameter in parameters(type(self))
            for prefix, _, field_name in [parameter.name.partition(".")]
        }


def parameters(config: type[NodeConfig]) -> Iterator[Parameter]:
    """Yield every parameter of a node, group by group."""
    for prefix, group in config.groups().items():
        for item in fields(group):
            yield Parameter(f"{prefix}.{item.name}", item.default, item.metadata["spec"])


def parameter_names(config: type[NodeConfig]) -> list[str]:
    """Return the full names of all parameters of a node."""
    return [parameter.name for parameter in parameters(config)]


def unknown_parameter(name: object, known: Sequence[str]) -> str:
    """Return one line about a parameter that does not exist, with the closest name if any.

    Args:
        name: of the parameter.
        known: the names that exist.
    """
    # Without its group a name is still recognized.
    full_names = {full.partition(".")[2]: full for full in known} | {full: full for full in known}
    given = str(name)
    near = [part for part in (given, given.rpartition(".")[2]) if part in full_names]
    near = near or difflib.get_close_matches(given, full_names, n=1)
    hint = f"did you mean {full_names[near[0]]}?" if near else "known: " + ", ".join(known)
    return f"unknown parameter {name}; {hint}"
