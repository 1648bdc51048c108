//! Who moves how: the characters, their ways, and the effects.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::draw::gaussian;
use super::super::story::{Mood, Scene};
use super::{RATE, disc};

/// Map pixels a second at the origin, and ln of them per arousal.
const SPEED: f32 = 34.0;
const SPEED_PER_AROUSAL: f32 = 0.9;
/// Bursts a second at the origin, and ln of them per arousal.
const BURSTS_PER_S: f32 = 0.8;
const BURSTS_PER_AROUSAL: f32 = 1.1;

/// The same characters in every video of the game.
const COLOURS: [[u8; 3]; 6] = [
    [70, 120, 220],
    [210, 70, 60],
    [90, 180, 90],
    [220, 190, 70],
    [170, 90, 190],
    [200, 200, 210],
];

/// How a scene moves its people.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// Towards each other and apart.
    Clash,
    /// One ahead, the others behind.
    Follow,
    /// All in one direction.
    Travel,
    /// From spot to spot, with rests.
    Wander,
    /// Round a middle.
    Circle,
}

/// What a scene looks like.
struct Staging {
    people: usize,
    way: Way,
    /// Colour of its effects.
    effect: [u8; 3],
}

fn staging(scene: Scene) -> Staging {
    let (people, way, effect) = match scene {
        Scene::Battle => (9, Way::Clash, [255, 150, 40]),
        Scene::Chase => (5, Way::Follow, [230, 230, 180]),
        Scene::Journey => (4, Way::Travel, [190, 220, 160]),
        Scene::Riddle => (3, Way::Wander, [130, 220, 255]),
        Scene::Ceremony => (10, Way::Circle, [255, 215, 80]),
        Scene::Market => (11, Way::Wander, [240, 170, 150]),
        Scene::Cavern => (3, Way::Travel, [120, 110, 200]),
        Scene::Arcade => (6, Way::Circle, [255, 80, 220]),
    };
    Staging { people, way, effect }
}

#[derive(Clone, Copy)]
struct Body {
    x: f32,
    y: f32,
    /// Direction of its way, radians.
    heading: f32,
    /// Factor of the speed.
    pace: f32,
    colour: [u8; 3],
}

#[derive(Clone, Copy)]
struct Spark {
    x: f32,
    y: f32,
    dx: f32,
    dy: f32,
    /// 1 when new, 0 when gone.
    life: f32,
}

/// The state of the game.
pub(super) struct Play {
    staging: Staging,
    bodies: Vec<Body>,
    sparks: Vec<Spark>,
    time_s: f32,
}

impl Play {
    pub(super) fn new(scene: Scene, rng: &mut ChaCha8Rng) -> Self {
        let staging = staging(scene);
        let bodies = (0..staging.people)
            .map(|number| Body {
                x: 200.0 + 45.0 * gaussian(rng),
                y: 200.0 + 45.0 * gaussian(rng),
                heading: rng.random_range(0.0..std::f32::consts::TAU),
                pace: rng.random_range(0.7..1.3),
                colour: COLOURS[(number + rng.random_range(0..2)) % COLOURS.len()],
            })
            .collect();
        Self {
            staging,
            bodies,
            sparks: Vec::new(),
            time_s: 0.0,
        }
    }

    /// How many characters there are; at least one.
    pub(super) fn count(&self) -> usize {
        self.bodies.len()
    }

    /// Where a character stands.
    pub(super) fn place(&self, number: usize) -> (f32, f32) {
        let body = self.bodies[number.min(self.bodies.len() - 1)];
        (body.x, body.y)
    }

    /// A picture's time goes by.
    pub(super) fn step(&mut self, mood: Mood, rng: &mut ChaCha8Rng) {
        let dt = 1.0 / RATE as f32;
        self.time_s += dt;
        let speed = SPEED * (SPEED_PER_AROUSAL * mood.arousal).exp();
        let count = self.bodies.len() as f32;
        let middle = (
            self.bodies.iter().map(|body| body.x).sum::<f32>() / count,
            self.bodies.iter().map(|body| body.y).sum::<f32>() / count,
        );
        let first = self.place(0);
        let time_s = self.time_s;
        for (number, body) in self.bodies.iter_mut().enumerate() {
            let towards = |(x, y): (f32, f32)| (y - body.y).atan2(x - body.x);
            let apart = (body.x - middle.0).hypot(body.y - middle.1);
            let wish = match self.staging.way {
                Way::Clash if apart > 70.0 || (time_s + number as f32).fract() < 0.6 => towards(middle),
                Way::Clash => towards(middle) + 2.6,
                Way::Follow if number == 0 => body.heading + 0.25 * gaussian(rng),
                Way::Follow => towards(first),
                Way::Travel if apart > 50.0 => towards(middle),
                Way::Travel => 0.4,
                Way::Wander if apart > 90.0 => towards(middle),
                Way::Wander => body.heading + 0.5 * gaussian(rng),
                Way::Circle if apart > 75.0 => towards(middle),
                Way::Circle => towards(middle) + 1.6,
            };
            let turn = (wish - body.heading).sin();
            body.heading += turn * 6.0 * dt;
            let rests = self.staging.way == Way::Wander && (time_s * 0.3 + body.pace * 7.0).sin() > 0.3;
            let step = if rests { 0.15 } else { 1.0 } * speed * body.pace * dt;
            body.x += step * body.heading.cos();
            body.y += step * body.heading.sin();
        }
        let bursts = BURSTS_PER_S * (BURSTS_PER_AROUSAL * mood.arousal).exp() * dt;
        if rng.random_bool(f64::from(bursts.min(1.0))) {
            let (x, y) = self.place(rng.random_range(0..self.bodies.len()));
            let force = 60.0 * (0.6 * mood.arousal).exp();
            for _ in 0..14 {
                self.sparks.push(Spark {
                    x,
                    y,
                    dx: force * gaussian(rng),
                    dy: force * gaussian(rng),
                    life: 1.0,
                });
            }
        }
        for spark in &mut self.sparks {
            spark.x += spark.dx * dt;
            spark.y += spark.dy * dt;
            spark.life -= 1.8 * dt;
        }
        self.sparks.retain(|spark| spark.life > 0.0);
    }

    /// Draws characters and effects; `project` leads from the map to the picture.
    pub(super) fn draw(&self, rgb: &mut [u8], project: impl Fn(f32, f32) -> (f32, f32), zoom: f32) {
        for body in &self.bodies {
            let (x, y) = project(body.x, body.y);
            disc(rgb, (x + 2.0, y + 3.0), 6.0 / zoom, [20, 20, 20], 0.5);
            disc(rgb, (x, y), 6.0 / zoom, body.colour, 1.0);
            let nose = project(
                body.x + 4.0 * body.heading.cos(),
                body.y + 4.0 * body.heading.sin(),
            );
            disc(rgb, nose, 2.5 / zoom, [240, 225, 200], 1.0);
        }
        for spark in &self.sparks {
            let place = project(spark.x, spark.y);
            disc(
                rgb,
                place,
                2.5 * spark.life / zoom + 0.5,
                self.staging.effect,
                spark.life,
            );
        }
    }
}
