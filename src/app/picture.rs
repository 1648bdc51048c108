//! The picture follows the clock: decoded frames become one texture.

use eframe::egui;

use super::App;
use crate::media::Frame;

impl App {
    /// Tells the decoder where the clock is, and shows what it has.
    pub(super) fn follow_picture(&mut self, ctx: &egui::Context) {
        let (Some(follower), Some(clip)) = (&self.follower, &mut self.state.clip) else {
            return;
        };
        follower.follow(self.state.transport.position_s, self.state.transport.playing);
        if let Some(error) = follower.take_error() {
            self.state.notes.error(error.to_string());
        }
        if let Some(frame) = follower.take_frame() {
            let image = image_of(&frame.frame);
            match &mut clip.picture {
                Some(texture) => texture.set(image, egui::TextureOptions::LINEAR),
                None => clip.picture = Some(ctx.load_texture("picture", image, egui::TextureOptions::LINEAR)),
            }
        }
    }
}

/// Packed RGB as a texture's pixels.
pub(super) fn image_of(frame: &Frame) -> egui::ColorImage {
    let size = [frame.width as usize, frame.height as usize];
    if frame.rgb.len() == size[0] * size[1] * 3 {
        egui::ColorImage::from_rgb(size, &frame.rgb)
    } else {
        egui::ColorImage::filled(size, egui::Color32::BLACK)
    }
}
