"""Where the dashboard listens, and what a browser is told to ask for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and by which names browsers ask. Paths of PEM files, or no TLS."""

    host: str
    port: int
    names: tuple[str, ...] = ()
    cert_file: str | None = None
    key_file: str | None = None

    def url(self, port: int) -> str:
        """Return the URL of the port that was found free, or asked for."""
        # Every address of this machine is none that a browser could ask for.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.cert_file is not None else 'http'}://{shown}:{port}"
