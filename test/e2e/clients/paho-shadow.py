"""One device and one application with Eclipse Paho, which shares no code with the clients of Node.

The argument is JSON with host, port, version (4 or 5) and thing. Prints what was seen as one line of JSON.
"""

import json
import queue
import socket
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

ANSWER_SECONDS = 60
OPTIONS = json.loads(sys.argv[1])
IS_V5 = OPTIONS["version"] == 5
SHADOW = f"$aws/things/{OPTIONS['thing']}/shadow"


class Client:
    """A client with its network loop in a thread, and everything that it was told in queues."""

    def __init__(self, name, keeps_session=False, will=None):
        # Paho 2 asks which callbacks are meant.
        versions = getattr(mqtt, "CallbackAPIVersion", None)
        first = (versions.VERSION1,) if versions else ()
        more = {} if IS_V5 else {"clean_session": not keeps_session}
        protocol = mqtt.MQTTv5 if IS_V5 else mqtt.MQTTv311
        self.client = mqtt.Client(*first, client_id=f"{OPTIONS['thing']}-{name}", protocol=protocol, **more)
        self.connected = queue.Queue()
        self.granted = queue.Queue()
        self.ended = queue.Queue()
        self.messages = queue.Queue()
        self.client.on_connect = lambda _c, _u, flags, code, *_: self.connected.put(
            {"code": getattr(code, "value", code), "session": flags["session present"]}
        )
        self.client.on_subscribe = lambda _c, _u, _mid, codes, *_: self.granted.put(
            [getattr(code, "value", code) for code in codes]
        )
        self.client.on_disconnect = lambda *_: self.ended.put(True)
        self.client.on_message = lambda _c, _u, message: self.messages.put(
            {
                "tail": message.topic[len(SHADOW) + 1 :],
                "qos": message.qos,
                "json": json.loads(message.payload),
            }
        )
        if will is not None:
            self.client.will_set(f"{SHADOW}/update", json.dumps(will), qos=1)
        more = {}
        if IS_V5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 600 if keeps_session else 0
            more = {"clean_start": not keeps_session, "properties": properties}
        self.client.connect(OPTIONS["host"], OPTIONS["port"], keepalive=30, **more)
        self.client.loop_start()
        self.connack = self.connected.get(timeout=ANSWER_SECONDS)

    def subscribe(self, *tails):
        self.client.subscribe([(f"{SHADOW}/{tail}", 1) for tail in tails])
        return self.granted.get(timeout=ANSWER_SECONDS)

    def publish(self, tail, body, qos=1):
        """Returns when the PUBACK is there."""
        info = self.client.publish(f"{SHADOW}/{tail}", json.dumps(body), qos=qos)
        info.wait_for_publish(ANSWER_SECONDS)
        return info.is_published()

    def take(self, last):
        """Messages up to and with one on the topic `last`."""
        seen = []
        while not seen or seen[-1]["tail"] != last:
            seen.append(self.messages.get(timeout=ANSWER_SECONDS))
        return seen

    def leave(self):
        self.client.disconnect()
        self.ended.get(timeout=ANSWER_SECONDS)
        self.client.loop_stop()

    def vanish(self):
        """Ends the TCP connection without a DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().shutdown(socket.SHUT_RDWR)


def main():
    result = {}
    app = Client("app")
    result["connack"] = app.connack
    result["granted"] = app.subscribe("update/+", "get/+", "update")
    result["published"] = app.publish(
        "update", {"state": {"desired": {"led": "on"}, "reported": {"led": "off"}}, "clientToken": "t-1"}
    )
    result["update"] = app.take("update/accepted")
    app.publish("get", {"clientToken": "t-2"}, qos=0)
    result["get"] = app.take("get/accepted")

    device = Client("device", keeps_session=True)
    result["first session"] = device.connack
    device.subscribe("update/accepted")
    device.leave()
    app.publish("update", {"state": {"reported": {"led": "on"}}, "clientToken": "t-3"})
    app.take("update/accepted")
    device = Client("device", keeps_session=True)
    result["second session"] = device.connack
    result["kept"] = device.take("update/accepted")
    device.leave()

    mortal = Client("mortal", will={"state": {"reported": {"connected": False}}, "clientToken": "t-4"})
    mortal.vanish()
    result["will"] = app.take("update/accepted")
    app.leave()
    print(json.dumps(result))


main()
