import typer

from domain.errors import Cancelled, UserFacingError
from workflows.command_line import EXIT_CANCELLED, EXIT_UNEXPECTED, EXIT_USER, build, run


def cli_that_raises(error: BaseException) -> typer.Typer:
    cli = typer.Typer(pretty_exceptions_enable=False)

    @cli.command()
    def fail() -> None:
        raise error

    return cli


def test_that_wrong_input_leaves_with_exit_code_2_and_says_what_to_do(capsys):
    assert run(cli_that_raises(UserFacingError("No such study.", "Make one.")), []) == EXIT_USER
    assert "No such study." in (shown := capsys.readouterr().err)
    assert "Make one." in shown


def test_that_a_stopped_command_leaves_with_130(capsys):
    assert run(cli_that_raises(Cancelled()), []) == EXIT_CANCELLED
    assert "Stopped" in capsys.readouterr().err


def test_that_an_unexpected_error_leaves_with_1_and_its_trace(capsys, caplog):
    assert run(cli_that_raises(RuntimeError("boom")), []) == EXIT_UNEXPECTED
    assert "boom" in caplog.text


def test_that_every_command_explains_itself(capsys):
    cli = build()
    names = [command.name or command.callback.__name__ for command in cli.registered_commands if command.callback]
    groups = [group.name for group in cli.registered_groups]
    assert "doctor" in names
    for name in [*names, *groups]:
        assert run(cli, [str(name).replace("_", "-"), "--help"]) == 0
        assert "Usage" in capsys.readouterr().out
