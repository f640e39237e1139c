import pytest

from domain.errors import UserFacingError
from domain.registry import Registry


def test_that_an_unknown_name_lists_the_known_ones():
    registry: Registry[int] = Registry("number", "resources")
    registry.register("one")(1)
    with pytest.raises(UserFacingError, match=r"no number called 'two'.*Known: one"):
        registry.get("two")


def test_that_a_name_is_given_once():
    registry: Registry[int] = Registry("number", "resources")
    registry.register("one")(1)
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("one")(2)
