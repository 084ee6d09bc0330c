"""Errors as people read them: without tracebacks, colours and what came of them."""

from __future__ import annotations

from glean.federation.wire.flower_errors import causes, reason_of_reply

FROM_RAY = """<class 'ray.exceptions.RayTaskError(ClientAppException)'>:<'\x1b[36m\
ray::ClientAppActor.run()\x1b[39m (pid=1, repr=<Actor object at 0x7f>)
                  ^^^^^^^^^
  File "/somewhere/client_app.py", line 48, in introduce
    introduction = participant.introduce()
glean.errors.SettingsError: covariates: found foo
wanted a column: 'date'

The above exception was the direct cause of the following exception:

\x1b[36mray::ClientAppActor.run()\x1b[39m (pid=1)
    raise ClientAppException(str(ex)) from ex
flwr.clientapp.client_app.ClientAppException:
Exception ClientAppException occurred. Message: covariates: found foo'>"""


def test_of_ray_s_traceback_the_cause_is_told() -> None:
    """All its lines, without its module, and nothing of what came of it."""
    wanted = "SettingsError: covariates: found foo\nwanted a column: 'date'"
    assert reason_of_reply(FROM_RAY) == wanted
    alone = FROM_RAY.partition("\n\n")[0]
    assert reason_of_reply(alone) == wanted
    assert reason_of_reply(alone + "'>") == wanted


def test_other_reasons_stay_as_they_are() -> None:
    """In process a reason is a line already; a text of Ray's is better than none."""
    for reason in ("ValueError: no flour", "x\nValueError: no flour", "ray::Actor died"):
        assert reason_of_reply(reason) == reason
    assert reason_of_reply("") == "an error"


def test_of_a_log_each_error_is_told_once() -> None:
    """Its line as it stands, from its name on."""
    log = "INFO: begins\nglean.errors.GleanError: no flour\nValueError: x\nValueError: x\nends"
    assert causes(log) == ["GleanError: no flour", "ValueError: x"]
    assert causes("all is well") == []
