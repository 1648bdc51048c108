"""The demo's picture: a ray-cast arena with figures made of capsules, particles, cameras and cuts, in numpy alone.

World axes: x right, y up, z into the arena; metres and seconds. The arena is a cylinder of radius RADIUS: floor, wall, a band of
spectators and the sky are found by one analytic intersection per pixel. Figures are drawn over it, far to near.
"""

import subprocess

import numpy as np

WIDTH, HEIGHT, RATE = 640, 360, 30
RADIUS, WALL, CROWD = 20.0, 3.5, 8.5
SHOTS = [0.0, 7.5, 12.5, 16.6, 20.8, 26.0, 30.4, 33.6, 36.4, 40.0]  # cut times
_rows, _columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
_plane = np.stack([(_columns - WIDTH / 2) / HEIGHT * 2, -(_rows - HEIGHT / 2) / HEIGHT * 2, np.ones_like(_rows)], -1)
_vignette = 1.0 - 0.28 * ((_columns / WIDTH - 0.5) ** 2 + (_rows / HEIGHT - 0.5) ** 2)[..., None] * 2

KNIGHT = dict(armour=(0.25, 0.45, 0.95), cloth=(0.92, 0.92, 0.98), skin=(0.95, 0.75, 0.6), blade=(0.7, 0.95, 1.0), scale=1.0)
RIVAL = dict(armour=(0.85, 0.2, 0.18), cloth=(0.25, 0.12, 0.12), skin=(0.8, 0.6, 0.5), blade=(1.0, 0.75, 0.35), scale=1.08)
GIANT = dict(armour=(0.42, 0.40, 0.38), cloth=(0.30, 0.27, 0.25), skin=(0.5, 0.46, 0.42), blade=(0.35, 0.3, 0.28), scale=3.6)


def ease(value, start, end):
    """Smooth step from 0 at `start` to 1 at `end`."""
    part = np.clip((value - start) / (end - start), 0.0, 1.0)
    return part * part * (3 - 2 * part)


class Camera:
    def __init__(self, at, target, zoom=1.5, shake=0.0, time=0.0):
        jolt = shake * np.array([np.sin(time * 71), np.sin(time * 89 + 1), np.sin(time * 63 + 2)])
        self.at = np.asarray(at, np.float32) + jolt.astype(np.float32)
        forward = np.asarray(target, np.float32) - self.at
        forward /= np.linalg.norm(forward)
        right = np.cross([0, 1, 0], forward)
        right /= np.linalg.norm(right)
        self.axes = np.stack([right, np.cross(forward, right), forward]).astype(np.float32)
        self.zoom = zoom

    def rays(self):
        return (_plane / np.array([self.zoom, self.zoom, 1], np.float32)) @ self.axes

    def project(self, point):
        """Screen column, row, and depth of a point (depth below 0.1: behind)."""
        x, y, depth = self.axes @ (np.asarray(point, np.float32) - self.at)
        depth = max(depth, 0.05)
        half = HEIGHT / 2 * self.zoom
        return WIDTH / 2 + x / depth * half, HEIGHT / 2 - y / depth * half, depth


def backdrop(camera, time, mood, shadows, lights, ring):
    """Floor, wall, spectators and sky, shaded; [HEIGHT, WIDTH, 3]."""
    dx, dy, dz = np.moveaxis(camera.rays(), -1, 0)
    px, py, pz = camera.at
    a, b = dx * dx + dz * dz, px * dx + pz * dz
    reach = (-b + np.sqrt(np.maximum(b * b - a * (px * px + pz * pz - RADIUS**2), 0))) / np.maximum(a, 1e-6)
    height = py + reach * dy
    down = np.where(dy < -1e-4, -py / np.minimum(dy, -1e-4), 1e9)
    floor = down < reach
    # Sky: a gradient towards the horizon, with a low sun and slow clouds.
    up = np.clip(dy / np.sqrt(a + dy * dy), 0, 1)
    angle = np.arctan2(dx, dz)
    cloud = 0.5 + 0.5 * np.sin(angle * 5 + up * 9 + time * 0.05) * np.sin(angle * 11 - up * 17 + 1)
    image = mood["low"] * (1 - up)[..., None] + mood["high"] * up[..., None]
    image = image + (0.16 * cloud * np.exp(-4 * up))[..., None] * mood["sun"]
    image += np.exp(-14 * ((angle - 0.9) ** 2 + (up - 0.18) ** 2))[..., None] * mood["sun"]
    # Wall with pillars and banners; spectators above it.
    bearing = np.arctan2(px + reach * dx, pz + reach * dz) * (48 / (2 * np.pi))
    cell = bearing - np.floor(bearing)
    pillar = np.abs(cell - 0.5) > 0.38
    brick = ((np.floor(height * 2.2) + np.floor(bearing * 6 + 0.5 * (np.floor(height * 2.2) % 2))) % 2) * 0.06
    stone = np.where(pillar, 0.62, 0.42 + brick) * (0.55 + 0.45 * np.clip(height / WALL, 0, 1))
    wall = stone[..., None] * mood["stone"]
    banner = (np.floor(bearing) % 4 == 1) & (np.abs(cell - 0.5) < 0.22) & (height > 0.9 + 0.12 * np.sin(cell * 12 + time * 3))
    wall = np.where(banner[..., None], mood["banner"] * (0.8 + 0.2 * np.sin(cell * 20 + time * 2))[..., None], wall)
    row, seat = np.floor(height * 1.6), np.floor(bearing * 7)
    seed = np.abs(np.sin(row * 12.9898 + seat * 78.233) * 43758.5453) % 1.0
    bounce = height * 1.6 - row - 0.16 * np.abs(np.sin(time * (3 + 4 * mood["cheer"]) + seed * 6.28)) * (0.4 + mood["cheer"])
    head = ((bearing * 7 - seat - 0.5) ** 2 * 3 + (bounce - 0.42) ** 2 * 6) < 0.34
    tint = np.stack([0.35 + 0.4 * seed, 0.3 + 0.35 * ((seed * 7) % 1), 0.35 + 0.4 * ((seed * 13) % 1)], -1)
    crowd = np.where(head[..., None], tint, 0.12) * mood["stone"]
    image = np.where((height < CROWD)[..., None], np.where((height < WALL)[..., None], wall, crowd), image)
    # Floor: slabs in rings, a glowing circle, soft shadows, light from spells.
    x, z = px + down * dx, pz + down * dz
    radius = np.sqrt(x * x + z * z)
    lane = np.floor(radius / 1.6)
    slab = np.arctan2(x, z) * (6 + 6 * lane) / (2 * np.pi)
    slab_seed = np.abs(np.sin(lane * 17.3 + np.floor(slab) * 5.7) * 917.3) % 1.0
    far = np.exp(-down * 0.03)
    grout = (((slab - np.floor(slab)) * 1.0 < 0.04) | (radius / 1.6 - lane < 0.04)) * far
    shade = 0.42 + 0.14 * (slab_seed - 0.5) * far - 0.13 * grout
    glow = np.exp(-((radius - 6.2) ** 2) * 9) * (0.35 + 0.2 * np.sin(time * 2.4)) + np.exp(-((radius - 12.5) ** 2) * 12) * 0.15
    for at, size in shadows:
        shade = shade * (1 - 0.62 * np.exp(-((x - at[0]) ** 2 + (z - at[2]) ** 2) / (size * size)))
    ground = shade[..., None] * mood["floor"] + glow[..., None] * mood["rune"]
    for at, colour, size in lights:
        ground = ground + np.exp(-((x - at[0]) ** 2 + (z - at[2]) ** 2) / (size * size))[..., None] * np.asarray(colour, np.float32)
    if ring is not None:
        centre, reach_m, strength = ring
        wave = np.exp(-((np.hypot(x - centre[0], z - centre[2]) - reach_m) ** 2) * 1.5) * strength
        ground = ground + wave[..., None] * np.array([1.0, 0.7, 0.35], np.float32)
    image = np.where(floor[..., None], ground, image)
    haze = np.where(floor, down, np.minimum(reach, 60))
    mix = np.where(~floor & (height >= CROWD), 0, 1 - np.exp(-haze * mood["haze"]))[..., None]
    return (image * (1 - mix) + mood["low"] * mix).astype(np.float32)


def capsule(image, camera, start, end, radius, colour, glow=0.0):
    """One shaded limb between two points."""
    (ax, ay, ad), (bx, by, bd) = camera.project(start), camera.project(end)
    if min(ad, bd) < 0.3:
        return
    size = radius * HEIGHT / camera.zoom ** -1 / (ad + bd)
    left, right = int(max(0, min(ax, bx) - size - 2)), int(min(WIDTH, max(ax, bx) + size + 3))
    top, bottom = int(max(0, min(ay, by) - size - 2)), int(min(HEIGHT, max(ay, by) + size + 3))
    if left >= right or top >= bottom:
        return
    x, y = _columns[top:bottom, left:right], _rows[top:bottom, left:right]
    ux, uy = bx - ax, by - ay
    along = np.clip(((x - ax) * ux + (y - ay) * uy) / max(ux * ux + uy * uy, 1e-3), 0, 1)
    ox, oy = x - ax - along * ux, y - ay - along * uy
    distance = np.sqrt(ox * ox + oy * oy)
    cover = np.clip(size - distance + 0.5, 0, 1)[..., None]
    ox, oy = ox / max(size, 0.5), oy / max(size, 0.5)
    facing = np.sqrt(np.clip(1 - ox * ox - oy * oy, 0, 1))
    light = 0.32 + 0.75 * np.clip(-0.45 * ox - 0.65 * oy + 0.6 * facing, 0, 1) + 0.5 * np.clip(ox - 0.6, 0, 1) + glow
    image[top:bottom, left:right] = image[top:bottom, left:right] * (1 - cover) + cover * light[..., None] * np.asarray(colour, np.float32)


def spark(image, camera, at, radius, colour):
    """A round additive glow."""
    x0, y0, depth = camera.project(at)
    if depth < 0.3:
        return
    size = max(radius * HEIGHT * camera.zoom / 2 / depth, 0.7)
    left, right = int(max(0, x0 - 3 * size)), int(min(WIDTH, x0 + 3 * size + 1))
    top, bottom = int(max(0, y0 - 3 * size)), int(min(HEIGHT, y0 + 3 * size + 1))
    if left >= right or top >= bottom:
        return
    x, y = _columns[top:bottom, left:right] - x0, _rows[top:bottom, left:right] - y0
    image[top:bottom, left:right] += np.exp(-(x * x + y * y) / (size * size))[..., None] * np.asarray(colour, np.float32)


def limbs(look, at, heading, pose, phase):
    """The capsules of one figure: [(start, end, radius, colour, glow)]. Poses: idle, run, swing, cast, roll, rise, cheer."""
    scale = look["scale"]
    bob, lean, crouch, arm, stride = 0.02 * np.sin(phase * 2), 0.05, 0.0, 0.35, 0.0
    if pose == "run":
        stride, lean, bob, arm = np.sin(phase * 9), 0.35, 0.06 * abs(np.sin(phase * 9)), 0.2
    elif pose == "swing":
        arm, lean, stride = -0.8 + 3.0 * ease(phase % 1.3, 0.25, 0.5), 0.2 + 0.2 * np.sin(phase * 4.8), 0.6
    elif pose == "cast":
        arm, lean = 1.9 + 0.1 * np.sin(phase * 20), -0.12
    elif pose == "roll":
        crouch, lean = 0.45, 0.9 + 0.4 * np.sin(phase * 8)
    elif pose == "cheer":
        arm, bob = 2.6 + 0.25 * np.sin(phase * 7), 0.12 * abs(np.sin(phase * 5))
    forward = np.array([np.sin(heading), 0, np.cos(heading)])
    side = np.array([forward[2], 0, -forward[0]])
    up = np.array([0, 1.0, 0])
    base = np.asarray(at, float)
    place = lambda f, u, s: base + scale * (f * forward + (u + bob) * up + s * side)
    hip_u = 0.92 - crouch
    out = []
    for sign in (-1, 1):
        swing = sign * stride
        hip, foot = place(0, hip_u, 0.12 * sign), place(0.42 * swing, 0.06 + 0.12 * max(0, -swing * np.cos(phase * 9)), 0.14 * sign)
        knee = (hip + foot) / 2 + scale * 0.12 * forward
        out += [(hip, knee, 0.11, look["cloth"], 0), (knee, foot, 0.09, look["armour"], 0)]
    neck_f, neck_u = 0.55 * np.sin(lean), hip_u + 0.58 * np.cos(lean)
    neck, hip = place(neck_f, neck_u, 0), place(0, hip_u, 0)
    out += [(hip, neck, 0.2, look["armour"], 0), (place(neck_f * 0.9, neck_u - 0.08, -0.22), place(neck_f * 0.9, neck_u - 0.08, 0.22), 0.11,
                                                   look["armour"], 0.1)]
    for sign in (-1, 1):
        reach = arm if sign == 1 else (0.4 - 0.5 * stride if pose != "cheer" else arm)
        shoulder = place(neck_f, neck_u - 0.08, 0.27 * sign)
        elbow = shoulder + scale * 0.3 * (np.sin(reach) * forward - np.cos(reach) * up)
        hand = elbow + scale * 0.28 * (np.sin(reach + 0.5) * forward - np.cos(reach + 0.5) * up)
        out += [(shoulder, elbow, 0.08, look["cloth"], 0), (elbow, hand, 0.075, look["armour"], 0)]
        if sign == 1:
            tip = hand + scale * 0.95 * (np.sin(reach + 1.5) * forward - np.cos(reach + 1.5) * up)
            out.append((hand, tip, 0.035 if scale < 2 else 0.14, look["blade"], 0.5 if scale < 2 else 0.0))
    head = place(neck_f + 0.06, neck_u + 0.22, 0)
    out += [(head, head + scale * 0.02 * up, 0.15, look["skin"], 0), (head + scale * 0.07 * up, head + scale * 0.12 * up, 0.15, look["armour"], 0)]
    if scale > 2:
        for sign in (-1, 1):
            eye = place(neck_f + 0.2, neck_u + 0.24, 0.06 * sign)
            out.append((eye, eye, 0.03, (1.0, 0.45, 0.1), 1.5))
    return [(start, end, radius * scale, colour, glow) for start, end, radius, colour, glow in out]


def staging(time):
    """Who is where at `time`: camera, mood, figures, sparks, lights, shock ring and flash."""
    day = dict(high=np.array([0.18, 0.34, 0.68], np.float32), low=np.array([0.95, 0.68, 0.48], np.float32), haze=0.012,
               sun=np.array([0.9, 0.6, 0.3], np.float32), stone=np.array([0.95, 0.82, 0.68], np.float32), cheer=0.3,
               floor=np.array([1.0, 0.88, 0.72], np.float32), rune=np.array([0.1, 0.75, 0.95], np.float32),
               banner=np.array([0.15, 0.3, 0.75], np.float32))
    dark = dict(day, high=np.array([0.10, 0.04, 0.10], np.float32), low=np.array([0.42, 0.14, 0.12], np.float32), haze=0.022,
                stone=np.array([0.62, 0.42, 0.40], np.float32), floor=np.array([0.62, 0.46, 0.44], np.float32),
                rune=np.array([0.95, 0.25, 0.08], np.float32), cheer=0.1)
    shot = int(np.searchsorted(SHOTS, time, side="right") - 1)
    local = time - SHOTS[shot]
    figures, sparks, lights, ring, flash, mood = [], [], [], None, 0.0, day
    rng = np.random.default_rng(shot * 1000 + int(time * 6))
    if shot == 0:
        turn = -0.9 + 0.16 * local
        camera = Camera((15 * np.sin(turn), 9 - 0.75 * local, -15 * np.cos(turn)), (0, 1.6, 0), 1.3)
        figures = [(KNIGHT, (-4, 0, 0), np.pi / 2, "idle", time), (RIVAL, (4, 0, 0.5), -np.pi / 2, "idle", time + 1)]
    elif shot == 1:
        x = -12 + 3.4 * local
        camera = Camera((x + 1.5 - 0.3 * local, 1.5, -4.6), (x + 0.6, 1.1, 0), 1.45, 0.02, time)
        figures = [(KNIGHT, (x, 0, 0), np.pi / 2, "run", time)]
        sparks = [((x - 0.5 - rng.random() * 1.5, 0.1 + rng.random() * 0.3, rng.normal() * 0.3), 0.12, (0.25, 0.2, 0.14)) for _ in range(7)]
    elif shot in (2, 3):
        near = 0.95 + 0.25 * np.sin(time * 2.4)
        camera = (Camera((0.5 * local, 1.7, -5.4 + 0.2 * local), (0, 1.1, 0), 1.5, 0.02, time) if shot == 2 else
                  Camera((-3.2, 2.0 + 0.1 * local, -1.9 + 0.5 * local), (0.6, 1.1, 0), 1.3, 0.03, time))
        figures = [(KNIGHT, (-near, 0, 0), np.pi / 2, "swing", time), (RIVAL, (near, 0, 0.1), -np.pi / 2, "swing", time + 0.65)]
        if time % 0.65 < 0.2:
            sparks = [((rng.normal() * 0.35, 1.3 + rng.normal() * 0.3, rng.normal() * 0.2), 0.05, (1.0, 0.8, 0.35)) for _ in range(14)]
            sparks.append(((0, 1.3, 0), 0.3, (0.8, 0.7, 0.5)))
            lights = [((0, 0, 0), (0.35, 0.28, 0.15), 2.0)]
    elif shot in (4, 5):
        mood = dark
        rise = -5.5 * (1 - ease(local, 0.3, 4.0)) if shot == 4 else 0.0
        slam = (local % 1.45) if shot == 5 else 9.0
        shake = 0.05 * ease(local, 0.2, 1.5) if shot == 4 else 0.16 * np.exp(-3 * ((slam - 0.55) % 1.45))
        camera = (Camera((-4 + 0.25 * local, 0.9, -1.5), (0, 3.2 + 0.3 * local, 11), 1.15, shake, time) if shot == 4 else
                  Camera((6.5 - 0.5 * local, 2.2, -5.0), (0, 2.2, 5.0), 1.15, shake, time))
        giant_z = 11.0 if shot == 4 else 6.5
        figures = [(GIANT, (0, rise, giant_z), np.pi, "rise" if shot == 4 else "swing", (time if shot == 4 else slam * 0.9))]
        figures.append((KNIGHT, (-1.2, 0, 3.0 if shot == 4 else -0.4 + 0.2 * local), 0.0, "idle" if shot == 4 else "run", time))
        sparks = [((rng.normal() * 2.4, abs(rng.normal()) * 1.5, giant_z - 1 + rng.normal()), 0.4, (0.12, 0.07, 0.05)) for _ in range(16)]
        lights = [((0, 0, giant_z), (0.5, 0.12, 0.04), 4.5)]
        if shot == 5 and slam > 0.5:
            ring = ((0, 0, 3.5), (slam - 0.5) * 11, 1.2 * np.exp(-2 * (slam - 0.5)))
    elif shot == 6:
        mood = dark
        charge = ease(local, 0.9, 3.1)
        turn = 0.5 + 0.35 * local
        camera = Camera((-3 + 3.4 * np.sin(turn), 1.2, -1 - 3.4 * np.cos(turn)), (-3, 1.2, -1), 1.3, 0.03 * charge, time)
        figures = [(KNIGHT, (-3, 0, -1), 0.4, "roll" if local < 0.9 else "cast", time), (GIANT, (1, 0, 10), np.pi, "rise", time)]
        sparks = [((-2.7, 2.2, -0.5), 0.15 + 0.5 * charge, (0.25 + 0.3 * charge, 0.6, 1.0))]
        sparks += [((-2.7 + rng.normal() * (1.4 - charge), 2.0 + rng.normal() * (1.2 - charge), -0.5 + rng.normal() * 0.6), 0.05,
                    (0.3, 0.7, 1.0)) for _ in range(20)]
        lights = [((-3, 0, -1), (0.1 * charge, 0.45 * charge, 0.8 * charge), 3.2)]
    elif shot == 7:
        mood = dark
        hit = 0.75
        camera = Camera((-6.5, 2.4, -6), (0, 2.6, 5), 1.2, 0.25 * np.exp(-2 * max(0, local - hit)) * (local > hit), time)
        fall = ease(local, hit + 0.2, hit + 1.8)
        figures = [(KNIGHT, (-3, 0, -2), 0.4, "cast", time), (GIANT, (1.5, -3.8 * fall, 7 + fall), np.pi, "rise", time)]
        if local < hit:
            part = local / hit
            ball = (-2.7 + 4.2 * part, 2.0 + 1.6 * part, -1.6 + 8.0 * part)
            sparks = [(ball, 0.5, (0.5, 0.8, 1.0)), (ball, 0.22, (1, 1, 1))]
            lights = [(ball, (0.15, 0.5, 0.8), 2.5)]
        else:
            age = local - hit
            burst = np.random.default_rng(5).normal(size=(60, 3))
            sparks = [((1.5 + v[0] * age * 3, 3.4 + v[1] * age * 3 - 2 * age * age, 6.5 + v[2] * age * 2), 0.12,
                       tuple(np.array([1.0, 0.75, 0.4]) * np.exp(-1.0 * age))) for v in burst]
            sparks.append(((1.5, 3.4, 6.2), 0.5 + 3 * age, tuple(np.array([0.7, 0.85, 1.0]) * np.exp(-3 * age))))
            ring, flash = ((1.5, 0, 6.5), age * 12, 1.5 * np.exp(-1.5 * age)), np.exp(-7 * age)
    else:
        mood = dict(day, cheer=1.0)
        turn = 0.6 * local
        camera = Camera((4.6 * np.sin(turn), 1.3 + 0.5 * local, -4.6 * np.cos(turn)), (0, 1.3, 0), 1.3)
        figures = [(KNIGHT, (0, 0, 0), np.pi - turn * 0.4, "cheer", time)]
        confetti = np.random.default_rng(9)
        for _ in range(90):
            x, y, z, speed, hue = confetti.uniform(-7, 7), confetti.uniform(3, 12), confetti.uniform(-7, 7), confetti.uniform(0.8, 1.8), confetti.random(3)
            sparks.append(((x + 0.3 * np.sin(time * 3 + x), y - speed * local, z), 0.045, tuple(0.25 + 0.75 * hue)))
    return camera, mood, figures, sparks, lights, ring, flash


def health(image, time):
    """Two bars at the top: the knight's and her opponent's."""
    own = 1.0 - 0.25 * ease(time, 14, 18) - 0.35 * ease(time, 26.5, 29.5)
    other = 1.0 - 0.7 * ease(time, 13, 20) if time < 20.8 else 1.0 - 0.3 * ease(time, 27, 30) - 0.7 * ease(time, 34.3, 35)
    for left, value, colour in ((20, own, (0.3, 0.8, 1.0)), (WIDTH - 220, other, (1.0, 0.4, 0.3))):
        image[14:26, left: left + 200] *= 0.35
        filled = int(196 * value)
        start = left + 2 if left < WIDTH / 2 else left + 198 - filled
        image[16:24, start: start + filled] = colour
        image[16:18, start: start + filled] = np.minimum(1.0, np.asarray(colour) + 0.25)


def frame(time):
    """One picture, uint8 [HEIGHT, WIDTH, 3]."""
    camera, mood, figures, sparks, lights, ring, flash = staging(time)
    shadows = [(at, 0.55 * look["scale"]) for look, at, *_ in figures]
    image = backdrop(camera, time, mood, shadows, lights, ring)
    pieces = [piece for figure in figures for piece in limbs(*figure)]
    pieces = [piece for piece in pieces if max(piece[0][1], piece[1][1]) > -piece[2]]
    for piece in sorted(pieces, key=lambda piece: -camera.project((np.asarray(piece[0]) + piece[1]) / 2)[2]):
        capsule(image, camera, *piece)
    for at, radius, colour in sparks:
        spark(image, camera, at, radius, colour)
    image *= _vignette
    if time < 36.4:
        health(image, time)
    image = image + flash
    image *= ease(time, -0.1, 0.6) * (1 - ease(time, 39.2, 39.95))
    return (np.clip(image, 0, 1) ** 0.85 * 255 + 0.5).astype(np.uint8)


def sound_events():
    """What the picture sounds like: (time_s, name, gain_db, pan)."""
    events = [(0.5, "cheer", -8, 0.5), (4.5, "cheer", -6, 0.4), (36.5, "cheer", 0, 0.5), (38.0, "cheer", -4, 0.6), (36.6, "chime", -4, 0.5)]
    events += [(float(at), "step", -10, 0.45) for at in np.arange(7.6, 12.4, 0.35)]
    for index, at in enumerate(np.arange(12.7, 20.6, 0.65)):
        events += [(float(at), "whoosh", -8, 0.4), (float(at) + 0.15, "clang", -6, 0.4 + 0.2 * (index % 2))]
    events += [(20.9, "rumble", 2, 0.5), (22.8, "rumble", 3, 0.5), (24.5, "rumble", 0, 0.5)]
    events += [(26.55 + 1.45 * k, "impact", 3, 0.5) for k in range(3)]
    events += [(30.6, "whoosh", -4, 0.3), (31.4, "zap", -8, 0.4), (32.4, "zap", -6, 0.4), (33.6, "zap", -2, 0.5), (34.35, "impact", 5, 0.6)]
    return events


def encode(path, seconds, kilobits=500):
    """All frames as VP8 in WebM, through ffmpeg's libvpx."""
    command = ["ffmpeg", "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "-",
               "-c:v", "libvpx", "-b:v", f"{kilobits}k", "-maxrate", "1100k", "-bufsize", "1100k", "-g", "90", "-deadline", "good", "-cpu-used", "2", "-threads", "2",
               "-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-an", str(path)]
    encoder = subprocess.Popen(command, stdin=subprocess.PIPE)
    for index in range(int(seconds * RATE)):
        encoder.stdin.write(frame(index / RATE).tobytes())
    encoder.stdin.close()
    if encoder.wait() != 0:
        raise RuntimeError("ffmpeg could not encode the demo's picture")
