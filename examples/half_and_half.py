from augbench.plugins import hookimpl


class HalfAndHalf:
    sources = 2

    def __call__(self, x_i, x_j, *, rng):
        image, cut = x_j.clone(), x_j.shape[-1] // 2
        image[..., :cut] = x_i[..., :cut]
        return image, x_i.new_full((len(x_i),), cut / x_j.shape[-1])


@hookimpl
def register_augmentations(register):
    register("half-and-half", HalfAndHalf)
