"""The guard of the tests themselves: the network is refused, this machine is not."""

import socket

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 443)])
@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_the_network_is_refused(address, method):
    with socket.socket() as client, pytest.raises(RuntimeError, match="may not use the network"):
        getattr(client, method)(address)


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
