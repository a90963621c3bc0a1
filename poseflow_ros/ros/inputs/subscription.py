"""A subscription whose QoS follows the publishers."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from poseflow_ros.ros.rclpy_workarounds import override_names

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# Only the newest message is processed, but messages that arrive while the executor is busy must
# be counted too.
_DEPTH = 5
_FIXED = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}
_COMPRESSED, _RAW = "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"
_TRANSPORTS = {_COMPRESSED: "compressed", _RAW: "raw"}

_Offer = tuple[ReliabilityPolicy, DurabilityPolicy]


class AdaptiveSubscription:
    """Subscribes to the newest messages with the best QoS that every publisher offers.

    A reliable subscription receives nothing from a best-effort publisher; a best-effort one loses
    most large images. A transient-local subscription receives nothing from a volatile publisher;
    a volatile one does not receive what was published before. So it changes over when a publisher
    turns out to offer another QoS, and looks again at each `refresh`. Parameters
    qos_overrides.TOPIC.subscription.POLICY come first.
    """

    def __init__(
        self,
        node: Node,
        message_type: type[Any],
        topic: str,
        reliability: str,
        callback: Callable[[Any], None],
        type_parameter: str = "",
        keep_all: bool = False,
        on_lost: Callable[[int], None] | None = None,
    ) -> None:
        """Subscribe.

        Args:
            node: owner of the subscription.
            message_type: of the topic.
            topic: relative to the node's namespace, before remapping.
            reliability: auto, reliable or best_effort.
            callback: called with each message.
            type_parameter: the parameter that selects the type; empty if none does.
            keep_all: messages wait in line to be taken; otherwise only the newest do.
            on_lost: called with the number of messages that the transport lost, as far as it
                notices: best effort does not send them again.

        Raises:
            InvalidQosOverridesError: a parameter overrides the QoS with an impossible one.
        """
        self._node = node
        self._message_type = message_type
        self._topic = topic
        self._reliability = reliability
        self._callback = callback
        self._type_parameter = type_parameter
        self._history = HistoryPolicy.KEEP_ALL if keep_all else HistoryPolicy.KEEP_LAST
        self._on_lost = on_lost
        self._subscription: Subscription | None = None
        self._known = self._query()
        self._asked = self._offered()
        self._subscribe()

    @property
    def topic(self) -> str:
        """The topic's full name, after remapping."""
        return str(self._node.resolve_topic_name(self._topic))

    @property
    def publishers(self) -> int:
        """Number of publishers of the topic, of any type and QoS."""
        return int(self._node.count_publishers(self.topic))

    def publisher_names(self) -> list[str]:
        """Return the node of each publisher, with its namespace, at the last `refresh`."""
        return [_node_name(publisher) for publisher in self._known]

    def why_silent(self) -> str:
        """Return what keeps each publisher's messages from coming; that there is none, if so."""
        reasons = [
            self._mismatch(publisher)
            or f"{_node_name(publisher)} is compatible but publishes nothing"
            for publisher in self._known
        ]
        return "; ".join(reasons) or "the topic has no publishers"

    def problems(self) -> list[str]:
        """Return which publishers of the topic cannot be received, and why."""
        return [f"{self.topic}: {text}" for p in self._known if (text := self._mismatch(p))]

    def refresh(self) -> None:
        """Subscribe again where the publishers now offer another QoS."""
        if self._subscription is None:
            return
        self._known = self._query()
        offered = self._offered()
        if self._known and offered != self._asked:
            self.destroy()
            self._asked = offered
            self._subscribe()

    def destroy(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    @property
    def _type_name(self) -> str:
        package = self._message_type.__module__.split(".")[0]
        return f"{package}/msg/{self._message_type.__name__}"

    def _query(self) -> list[TopicEndpointInfo]:
        return list(self._node.get_publishers_info_by_topic(self.topic))

    def _offered(self) -> _Offer:
        """Return the QoS that every publisher of this type offers; volatile if there is none."""
        profiles = [p.qos_profile for p in self._known if p.topic_type == self._type_name]
        best_effort = any(p.reliability == ReliabilityPolicy.BEST_EFFORT for p in profiles)
        kept = [p.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in profiles]
        offered = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
        return (
            _FIXED.get(self._reliability, offered),
            DurabilityPolicy.TRANSIENT_LOCAL if kept and all(kept) else DurabilityPolicy.VOLATILE,
        )

    def _mismatch(self, publisher: TopicEndpointInfo) -> str:
        """Return why a publisher's messages cannot be received; empty if they can."""
        name, profile = _node_name(publisher), publisher.qos_profile
        wanted = self._type_name
        if (given := publisher.topic_type) != wanted:
            other = self._type_parameter and _TRANSPORTS.get(given)
            hint = f"; set {self._type_parameter} to {other}" if other else ""
            return f"{name} publishes {given}, not {wanted}{hint}"
        asked = self._subscription.qos_profile if self._subscription else QoSProfile(depth=1)
        if (profile.reliability, asked.reliability) == (
            ReliabilityPolicy.BEST_EFFORT,
            ReliabilityPolicy.RELIABLE,
        ) and (self._reliability == "reliable" or self._overridden()):
            own = self._reliability == "reliable"
            cause = "cameras.reliability is reliable" if own else "qos_overrides require reliable"
            return f"{name} offers best effort, but {cause}"
        if (profile.durability, asked.durability) == (
            DurabilityPolicy.VOLATILE,
            DurabilityPolicy.TRANSIENT_LOCAL,
        ) and self._overridden():
            return f"{name} offers volatile, but qos_overrides require transient local"
        return ""

    def _overridden(self) -> list[QoSPolicyKind]:
        """Return the policies that parameters override."""
        names = set(override_names(self._node))
        prefix = f"qos_overrides.{self.topic}.subscription."
        return [kind for kind in QoSPolicyKind if prefix + kind.name.lower() in names]

    def _subscribe(self) -> None:
        reliability, durability = self._asked
        self._node.get_logger().debug(
            f"subscribing to {self.topic}, {reliability.name}, {durability.name}"
        )
        events = SubscriptionEventCallbacks(
            incompatible_qos=lambda _: self.refresh(), use_default_callbacks=False
        )
        if (on_lost := self._on_lost) is not None:
            events.message_lost = lambda event: on_lost(event.total_count_change)
        try:
            self._subscription = self._node.create_subscription(
                self._message_type,
                self._topic,
                self._callback,
                QoSProfile(
                    depth=_DEPTH,
                    history=self._history,
                    reliability=reliability,
                    durability=durability,
                ),
                event_callbacks=events,
                # Only those that are set: the others would be fixed at what is offered now.
                qos_overriding_options=QoSOverridingOptions(self._overridden()),
            )
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            if not self._overridden():
                raise
            raise InvalidQosOverridesError(
                f"qos_overrides.{self.topic}.subscription: {error}"
            ) from error


def _node_name(publisher: TopicEndpointInfo) -> str:
    return f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
