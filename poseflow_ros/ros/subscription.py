"""A subscription that adapts its reliability to the publishers."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# Only the newest message is processed, but messages that arrive while the executor is busy must
# be counted too.
_DEPTH = 5
_FIXED = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


class AdaptiveSubscription:
    """Subscribes to the newest messages, reliably if every publisher of the topic offers it.

    A reliable subscription receives nothing from a best-effort publisher. A best-effort
    subscription loses most large images. `auto` therefore starts with reliable, and switches to
    best effort if a publisher offers no more. It checks the publishers at each `refresh`.
    """

    def __init__(
        self,
        node: Node,
        message_type: type[Any],
        topic: str,
        reliability: str,
        callback: Callable[[Any], None],
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
            keep_all: queue all messages, otherwise only the newest ones.
            on_lost: called with the number of lost messages that the middleware detects.
        """
        self._node = node
        self._message_type = message_type
        self._topic = topic
        self._reliability = reliability
        self._callback = callback
        self._history = HistoryPolicy.KEEP_ALL if keep_all else HistoryPolicy.KEEP_LAST
        self._on_lost = on_lost
        self._subscription: Subscription | None = None
        self._subscribe(_FIXED.get(reliability) or self._offered())

    @property
    def topic(self) -> str:
        """The topic's full name, after remapping."""
        return str(self._node.resolve_topic_name(self._topic))

    @property
    def publishers(self) -> int:
        """Number of publishers of the topic, of any type and QoS."""
        return int(self._node.count_publishers(self.topic))

    def why_silent(self) -> str:
        """Return the reason why no messages arrive, for each publisher."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        return "; ".join(map(self._why_silent, publishers)) or "the topic has no publishers"

    def refresh(self) -> None:
        """Subscribe again if the publishers now offer another reliability."""
        if self._reliability in _FIXED or self._subscription is None:
            return
        offered = self._offered()
        if self.publishers and offered != self._subscription.qos_profile.reliability:
            self.destroy()
            self._subscribe(offered)

    def destroy(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _offered(self) -> ReliabilityPolicy:
        """Return best effort if any publisher offers only that, otherwise reliable."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        best_effort = ReliabilityPolicy.BEST_EFFORT
        if any(p.qos_profile.reliability == best_effort for p in publishers):
            return best_effort
        return ReliabilityPolicy.RELIABLE

    def _why_silent(self, publisher: TopicEndpointInfo) -> str:
        name = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
        package = self._message_type.__module__.split(".")[0]
        wanted = f"{package}/msg/{self._message_type.__name__}"
        if publisher.topic_type != wanted:
            return f"{name} publishes {publisher.topic_type}, not {wanted}"
        best_effort = publisher.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
        if best_effort and self._reliability == "reliable":
            return f"{name} offers best effort, but cameras.reliability is reliable"
        return f"{name} is compatible but publishes nothing"

    def _subscribe(self, reliability: ReliabilityPolicy) -> None:
        self._node.get_logger().debug(f"subscribing to {self.topic}, {reliability.name}")
        events = SubscriptionEventCallbacks(
            incompatible_qos=lambda _: self.refresh(), use_default_callbacks=False
        )
        if (on_lost := self._on_lost) is not None:
            events.message_lost = lambda event: on_lost(event.total_count_change)
        self._subscription = self._node.create_subscription(
            self._message_type,
            self._topic,
            self._callback,
            QoSProfile(depth=_DEPTH, history=self._history, reliability=reliability),
            event_callbacks=events,
        )
