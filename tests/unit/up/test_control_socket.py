"""Where the control process listens for the tracking process."""

import socket
import stat

from mlwright.doors.up.control_socket import control_socket


def test_it_is_a_socket_that_only_this_account_can_use(tmp_path) -> None:
    (tmp_path / "control.sock").touch()  # left over from a process that was killed
    with control_socket(tmp_path) as (listener, address):
        path = tmp_path / "control.sock"
        assert address == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        listener.accept()[0].close()
    assert not path.exists()


def test_a_path_that_is_too_long_for_a_socket_becomes_a_port(tmp_path) -> None:
    state = tmp_path / ("long" * 30)
    state.mkdir()
    with control_socket(state) as (listener, address):
        host, _, port = address.rpartition(":")
        assert host == "127.0.0.1"
        with socket.create_connection((host, int(port))):
            listener.accept()[0].close()
    assert list(state.iterdir()) == []
