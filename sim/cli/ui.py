"""`fleetcast ui`: a page with sliders, served on this machine."""

from __future__ import annotations

import errno
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sim.ui.service import Service

_STOP_S = 2


@click.command(short_help="Open a page with sliders.")
@click.argument("scenario", required=False, metavar="[SCENARIO]")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key of SCENARIO; repeatable.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen at; others can then reach it."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="0: any that is free.")
@click.option(
    "--outputs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("outputs"),
    show_default=True,
    help="Where stored runs, studies and plans are.",
)
@click.option("--token", help="What a visitor must know (default: a new one, told on stdout).")
@click.option("--json", "as_json", is_flag=True, help="Print the address and the token as one JSON document.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def command(
    scenario: str | None,
    sets: tuple[str, ...],
    host: str,
    port: int,
    outputs: Path,
    token: str | None,
    as_json: bool,
    no_browser: bool,
) -> None:
    """Open a page in which sliders change a scenario, and charts follow at once.

    It starts with SCENARIO, a file or the name of one that ships. It is served to this machine alone, to whoever has
    the address with its token. Ctrl-C ends it.
    """
    from sim.config.errors import ConfigError, Problem

    try:
        import uvicorn

        from sim.ui.access import new_token
        from sim.ui.app import guarded
        from sim.ui.heads import prompt
    except ImportError:
        raise ConfigError("the page needs FastAPI and uvicorn: pip install 'fleetcast[ui]'") from None
    if token is not None and (len(token) < 8 or not token.isascii() or not token.isprintable()):
        raise ConfigError(Problem("must be at least 8 ASCII characters", "--token"))
    if token is not None and set(token) & set(' ;,"\\'):
        raise ConfigError(Problem('must hold none of: space ; , " \\', "--token"))
    token = token or new_token()
    service = _service(scenario, sets, outputs)
    try:
        listening = _listen(host, port)
        port = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else shown}:{port}/?token={token}"
        told = {"address": address, "host": host, "port": port, "token": token}
        click.echo(json.dumps(told) if as_json else address)
        if host not in ("127.0.0.1", "::1", "localhost"):
            click.echo(f"note: whoever can reach {host} and has the token can use this machine's processors", err=True)
        if not no_browser:
            import webbrowser

            webbrowser.open(address)
        config = uvicorn.Config(
            guarded(service, token, host, port),
            log_level="warning",
            access_log=False,
            server_header=False,
            http=prompt(service.limits.head_s),
            limit_concurrency=service.limits.connections,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=_STOP_S,
            h11_max_incomplete_event_size=64 * 1024,
            ws="none",
        )
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        service.close()


def _service(scenario: str | None, sets: tuple[str, ...], outputs: Path) -> Service:
    """What answers, with the scenario that was named; a wrong one is told before anything starts."""
    from sim.scenario import load
    from sim.ui.desk.source import Files
    from sim.ui.service import Service
    from sim.ui.wire.asked import Source, State
    from sim.ui.wire.limits import Limits

    first = None
    if scenario is not None:
        load(scenario, sets)
        first = State(source=Source(kind="given"))
    found = outputs.resolve() if outputs.is_dir() else None
    return Service(Files(given=scenario, given_sets=sets, outputs=found), Limits(), first)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, or one clear message."""
    from sim.config.errors import ConfigError, Problem

    try:
        kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(kind, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()  # who asks before the server runs is answered once it does
    except socket.gaierror:
        raise ConfigError(Problem(f"'{host[:80]}' is no address of this machine", "--host")) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(Problem(f"{port} is taken; give another, or 0 for any", "--port")) from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(Problem(f"'{host[:80]}' is no address of this machine", "--host")) from None
        raise ConfigError(Problem(f"{host}:{port}: {error.strerror}; give another above 1023", "--port")) from None
    return listening
