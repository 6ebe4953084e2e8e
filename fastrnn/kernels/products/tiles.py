"""Register tiles: the innermost loops of the products, as LLVM IR."""

from __future__ import annotations

from llvmlite import ir
from numba import int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from fastrnn.kernels.machine.vector import (
    I64,
    LANES,
    address_of,
    llvm_vector,
    load_vector,
    mask_of,
    multiply_add,
    splat_of,
    store_vector,
    vector_of,
)


def _sum_tile(builder, real, shape, transposed, a, a_stride, b, b_stride, terms, start):
    """Emit ``start[r, j] + sum over k of a[r, k] * b[k, j]`` for one register tile; returns the vectors, row by row."""
    rows, vectors, split = shape
    kind = vector_of(real)
    vector, count = llvm_vector(kind), kind.lanes
    row_offset = [I64(r) if transposed else builder.mul(a_stride, I64(r)) for r in range(rows)]

    def add_term(k, sums):
        a_at = builder.mul(k, a_stride) if transposed else k
        b_at = builder.mul(k, b_stride)
        columns = [load_vector(builder, b, kind, builder.add(b_at, I64(v * count))) for v in range(vectors)]
        out = []
        for r in range(rows):
            number = builder.load(address_of(builder, a, real, builder.add(a_at, row_offset[r])))
            wide = splat_of(builder, number, count)
            out += [multiply_add(builder, wide, columns[v], sums[r * vectors + v]) for v in range(vectors)]
        return out

    def loop(first, stop, width, sums):
        """``for k in range(first, stop, width)`` with the sums as phi nodes; returns the sums after it."""
        head, done = builder.append_basic_block("terms"), builder.append_basic_block("terms.done")
        entry = builder.block
        builder.cbranch(builder.icmp_signed("<", first, stop), head, done)
        builder.position_at_end(head)
        k = builder.phi(I64)
        k.add_incoming(first, entry)
        carried = [builder.phi(vector) for _ in sums]
        after = []
        for part in range(width):
            after += add_term(builder.add(k, I64(part)), carried[part * len(start) : (part + 1) * len(start)])
        after += carried[len(after) :]
        following = builder.add(k, I64(width))
        k.add_incoming(following, head)
        for phi, value, final in zip(carried, sums, after, strict=True):
            phi.add_incoming(value, entry)
            phi.add_incoming(final, head)
        builder.cbranch(builder.icmp_signed("<", following, stop), head, done)
        builder.position_at_end(done)
        out = []
        for value, final in zip(sums, after, strict=True):
            phi = builder.phi(vector)
            phi.add_incoming(value, entry)
            phi.add_incoming(final, head)
            out.append(phi)
        return out

    zero = ir.Constant(vector, [0.0] * count)
    whole = builder.and_(terms, I64(-split))
    sums = loop(I64(0), whole, split, start + [zero] * (len(start) * (split - 1)))
    if split > 1:
        sums = loop(whole, terms, 1, sums)
    while len(sums) > len(start):
        half = len(sums) // 2
        sums = [builder.fadd(x, y) for x, y in zip(sums[:half], sums[half:], strict=True)]
    return sums


def matrix_tile(shapes, transposed, joined=False):
    """An intrinsic that computes one register tile of a matrix product, of any of the given shapes.

    ``tile(rows, vectors, a, a_stride, b, b_stride, start, start_stride, c, c_stride, terms)`` forms ``c[r, j] =
    start[r, j] + sum over k of a[r, k] * b[k, j]`` for ``rows`` rows and ``vectors`` vectors of columns, all sums in
    registers. Strides are the distances between rows as stored; ``transposed`` means that ``a`` is stored (k, r).
    ``shapes`` lists (rows, vectors, split): ``split`` partial sums over ``k`` modulo ``split`` hide the latency of the
    multiply-add where a tile has few cells of its own. A ``joined`` tile has three more parameters, ``more``,
    ``more_stride`` and ``more_terms``: it goes on with rows of ``more``, whose terms follow those of ``a`` in ``b``.
    """

    def emit(builder, real, shape, args):
        a, a_stride, b, b_stride, start, start_stride, c, c_stride, terms, *rest = args
        kind = vector_of(real)
        cells = [(r, v * kind.lanes) for r in range(shape[0]) for v in range(shape[1])]
        places = [builder.add(builder.mul(start_stride, I64(r)), I64(v)) for r, v in cells]
        first = [load_vector(builder, start, kind, place) for place in places]
        sums = _sum_tile(builder, real, shape, transposed, a, a_stride, b, b_stride, terms, first)
        if joined:
            more, more_stride, more_terms = rest
            below = address_of(builder, b, real, builder.mul(terms, b_stride))
            sums = _sum_tile(builder, real, shape, transposed, more, more_stride, below, b_stride, more_terms, sums)
        for (r, v), value in zip(cells, sums, strict=True):
            store_vector(builder, value, c, real, builder.add(builder.mul(c_stride, I64(r)), I64(v)))

    codegen = _chosen(shapes, emit)

    def tile(typingctx, rows, vectors, a, a_stride, b, b_stride, start, start_stride, c, c_stride, terms):
        return types.void(int64, int64, a, int64, b, int64, start, int64, c, int64, int64), codegen

    def joined_tile(
        typingctx, rows, vectors, a, a_stride, b, b_stride, start, start_stride, c, c_stride, terms,
        more, more_stride, more_terms,
    ):  # fmt: skip
        parameters = [int64, int64, a, int64, b, int64, start, int64, c, int64, int64, more, int64, int64]
        return types.void(*parameters), codegen

    return intrinsic(joined_tile if joined else tile)


def stretches_tile(shapes):
    """An intrinsic that computes a tile as `matrix_tile` does, of two stretches of terms, each with panels of its own.

    ``tile(rows, vectors, a, a_stride, panel, terms, more, more_stride, more_panel, more_terms, start, start_stride, c,
    c_stride)``; the sums of the first stretch are what the second starts from.
    """

    def emit(builder, real, shape, args):
        a, a_stride, panel, terms, more, more_stride, more_panel, more_terms, start, start_stride, c, c_stride = args
        kind = vector_of(real)
        step = I64(shape[1] * kind.lanes)
        cells = [(r, v * kind.lanes) for r in range(shape[0]) for v in range(shape[1])]
        places = [builder.add(builder.mul(start_stride, I64(r)), I64(v)) for r, v in cells]
        sums = [load_vector(builder, start, kind, place) for place in places]
        sums = _sum_tile(builder, real, shape, False, a, a_stride, panel, step, terms, sums)
        sums = _sum_tile(builder, real, shape, False, more, more_stride, more_panel, step, more_terms, sums)
        for (r, v), value in zip(cells, sums, strict=True):
            store_vector(builder, value, c, real, builder.add(builder.mul(c_stride, I64(r)), I64(v)))

    def tile(
        typingctx, rows, vectors, a, a_stride, panel, terms, more, more_stride, more_panel, more_terms, start,
        start_stride, c, c_stride,
    ):  # fmt: skip
        parameters = [int64, int64, a, int64, panel, int64, more, int64, more_panel, int64, start, int64, c, int64]
        return types.void(*parameters), _chosen(shapes, emit)

    return intrinsic(tile)


def _chosen(shapes, emit):
    """The code of an intrinsic whose first two arguments choose one of the shapes."""

    def codegen(context, builder, sig, args):
        rows, vectors, *operands = args
        done = builder.append_basic_block("tile.done")
        switch = builder.switch(builder.add(builder.mul(rows, I64(16)), vectors), done)
        for shape in shapes:
            block = builder.append_basic_block(f"tile.{shape[0]}x{shape[1]}")
            switch.add_case(I64(shape[0] * 16 + shape[1]), block)
            builder.position_at_end(block)
            emit(builder, sig.args[2].dtype, shape, operands)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return codegen


@intrinsic
def transpose(typingctx, source, source_stride, target, target_stride):
    """Write a square of as many rows as lanes, the distance between rows given, transposed."""

    def codegen(context, builder, sig, args):
        source, source_stride, target, target_stride = args
        real = sig.args[0].dtype
        kind = vector_of(real)
        rows = [load_vector(builder, source, kind, builder.mul(source_stride, I64(i))) for i in range(kind.lanes)]
        width = 1
        while width < kind.lanes:
            places = [
                (i // (2 * width)) * 2 * width + i % width + kind.lanes * (i // width % 2) for i in range(kind.lanes)
            ]
            for i in range(kind.lanes):
                if i & width == 0:
                    pair = rows[i], rows[i + width]
                    rows[i] = builder.shuffle_vector(*pair, mask_of(places))
                    rows[i + width] = builder.shuffle_vector(*pair, mask_of([place + width for place in places]))
            width *= 2
        for i, row in enumerate(rows):
            store_vector(builder, row, target, real, builder.mul(target_stride, I64(i)))
        return context.get_dummy_value()

    return types.void(source, int64, target, int64), codegen


def row_tile(vectors, split):
    """An intrinsic for a row times a panel whose result stays in registers.

    ``tile(a, b, terms, start)`` returns the tuple of ``vectors`` vectors ``start[j] + sum over k of a[k] * b[k, j]``;
    ``b`` is stored ``vectors`` vectors a term, ``start`` is a tuple like the result.
    """

    def codegen(context, builder, sig, args):
        a, b, terms, start = args
        real = sig.args[0].dtype
        stride = I64(vectors * LANES[real])
        sums = _sum_tile(
            builder,
            real,
            (1, vectors, split),
            False,
            a,
            I64(0),
            b,
            stride,
            terms,
            cgutils.unpack_tuple(builder, start, vectors),
        )
        return context.make_tuple(builder, sig.return_type, sums)

    def tile(typingctx, a, b, terms, start):
        return start(a, b, int64, start), codegen

    return intrinsic(tile)
