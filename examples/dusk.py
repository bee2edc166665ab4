from augbench import hookimpl
from augbench.corruptions.contract import at_strength


class Dusk:
    """Only 70, 50 or 30 % of the light is left."""

    operations = frozenset({"brightness"})

    def __init__(self, strength):
        self.strength = strength
        self.light = at_strength(strength, (0.7, 0.5, 0.3))

    def __call__(self, images, *, rng):
        return (images * self.light).to(images.dtype)


@hookimpl
def register_corruptions(register):
    register("dusk", Dusk)
