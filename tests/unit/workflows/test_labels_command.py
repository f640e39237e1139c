from workflows.command_line import build, run


def test_that_the_word_make_may_be_left_out(tmp_path, capsys):
    assert run(build(), ["labels", str(tmp_path)]) == 2
    without = capsys.readouterr().err
    assert run(build(), ["labels", "make", str(tmp_path)]) == 2
    assert capsys.readouterr().err == without
    assert "study" in without


def test_that_help_names_the_commands(capsys):
    assert run(build(), ["labels", "--help"]) == 0
    assert "make" in capsys.readouterr().out
